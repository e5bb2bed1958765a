package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// The two parts of a key, for each kind of item.
const (
	accountPrefix, accountSort     = "ACCOUNT#", "ACCOUNT"
	sessionPrefix                  = "SESSION#" // the account's, sorted behind it
	aliasPrefix, aliasSort         = "ALIAS#", "ALIAS"
	markerPrefix, markerSort       = "STATE#", "STATE"
	codePrefix, codeSort           = "CODE#", "CODE"
	receiptPrefix, receiptSort     = "RECEIPT#", "RECEIPT"
	sweepPrefix, sweepSort         = "SWEEP#", "SWEEP"
	tombstonePrefix, tombstoneSort = "TOMBSTONE#", "TOMBSTONE"
)

func key(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

func accountKey(id string) item   { return key(accountPrefix+id, accountSort) }
func aliasKey(userID string) item { return key(aliasPrefix+userID, aliasSort) }
func markerKey(state string) item { return key(markerPrefix+state, markerSort) }

func sessionKey(ref account.SessionRef) item {
	return key(accountPrefix+ref.AccountID, sessionPrefix+ref.Key)
}

// keyOf returns the key of an item.
func keyOf(i item) item { return item{"pk": i["pk"], "sk": i["sk"]} }

// isAccount tells an account from the other items that are read with it.
func isAccount(i item) bool { return textOf(i, "sk") == accountSort }

// accountFields are the attributes of an account. The lease is read only, since a
// login ends it and [account.Store.Lease] writes it with its holder.
func accountFields(a *account.Account) []field {
	fields := []field{keyField("pk", accountPrefix, &a.ID), fixedField("sk", accountSort)} // first: errors name the account
	return append(append(fields, tokenFields(a)...),
		textField("user_id", &a.UserID),
		neededField("connection", &a.Connection),
		timeField("checked_at", &a.CheckedAt),
		textsField("permissions", &a.Permissions),
		timeField("connected_at", &a.ConnectedAt),
		timeField("last_login_at", &a.LastLoginAt),
		profileField("profile", &a.Profile),
		shown(timeField("lease_until", &a.LeaseUntil)),
		shown(boolField("lease_rests", &a.Resting)),
	)
}

// tokenFields are the attributes that [account.Store.PutToken] replaces.
func tokenFields(a *account.Account) []field {
	return []field{
		neededField("token_rev", &a.TokenRev),
		neededField("status", &a.Status),
		textField("cause", &a.Cause),
		bytesField("token_sealed", &a.Token.Sealed),
		timeField("token_issued_at", &a.Token.IssuedAt),
		timeField("token_expires_at", &a.Token.ExpiresAt),
		timeField("token_refresh_at", &a.Token.RefreshAt),
		timeField("removed_at", &a.RemovedAt),
		shardField("due_shard", *a),
	}
}

func profileFields(p *account.Profile) []field {
	return []field{
		textField("id", &p.ID),
		textField("user_id", &p.UserID),
		textField("username", &p.Username),
		textField("name", &p.Name),
		textField("account_type", &p.AccountType),
		textField("profile_picture_url", &p.ProfilePictureURL),
		textField("biography", &p.Biography),
		textField("website", &p.Website),
		countField("followers_count", &p.FollowersCount),
		countField("follows_count", &p.FollowsCount),
		countField("media_count", &p.MediaCount),
		timeField("fetched_at", &p.FetchedAt),
		timeField("rest_until", &p.RestUntil),
	}
}

func profileField(name string, p *account.Profile) field {
	value := &types.AttributeValueMemberM{Value: encode(*p, profileFields)}
	return field{name: name, value: value, read: func(v types.AttributeValue) error {
		m, ok := v.(*types.AttributeValueMemberM)
		if !ok {
			return malformed(name)
		}
		return read(m.Value, profileFields(p)...)
	}}
}

func sessionFields(s *account.Session) []field {
	return []field{
		keyField("pk", accountPrefix, &s.AccountID),
		keyField("sk", sessionPrefix, &s.Key),
		neededField("connection", &s.Connection),
		timeField("created_at", &s.CreatedAt),
		timeField("last_used_at", &s.LastUsedAt),
		timeField("ttl", &s.ExpiresAt),
	}
}

// An alias leads from a professional id to an account.
type alias struct{ userID, accountID string }

func aliasFields(a *alias) []field {
	return []field{
		keyField("pk", aliasPrefix, &a.userID),
		fixedField("sk", aliasSort),
		neededField("account_id", &a.accountID),
	}
}

func markerFields(m *account.Marker) []field {
	return []field{
		keyField("pk", markerPrefix, &m.State),
		fixedField("sk", markerSort),
		neededField("attempt", &m.Attempt),
		bytesField("result", &m.Result),
		timeField("ttl", &m.ExpiresAt),
	}
}

func codeFields(c *account.ConnectCode) []field {
	return []field{
		keyField("pk", codePrefix, &c.Hash),
		fixedField("sk", codeSort),
		bytesField("sealed", &c.Sealed),
		timeField("ttl", &c.ExpiresAt),
	}
}

func receiptFields(r *account.Receipt) []field {
	return []field{
		keyField("pk", receiptPrefix, &r.Code),
		fixedField("sk", receiptSort),
		timeField("at", &r.At),
		boolField("deleted", &r.Deleted),
		timeField("ttl", &r.ExpiresAt),
	}
}

func sweepFields(at *time.Time) []field {
	return []field{
		fixedField("pk", sweepPrefix),
		fixedField("sk", sweepSort),
		required(timeField("at", at)),
	}
}

// A tombstone records that an account was deleted.
type tombstone struct {
	hash          string // SHA-256 of the account's id, in hex
	at, expiresAt time.Time
}

func newTombstone(id string, at time.Time) tombstone {
	hash := sha256.Sum256([]byte(id))
	return tombstone{hex.EncodeToString(hash[:]), at, at.Add(tombstoneAge)}
}

func tombstoneFields(t *tombstone) []field {
	return []field{
		newField("pk", true, text(tombstonePrefix+t.hash), func(v *types.AttributeValueMemberS) bool {
			t.hash = strings.TrimPrefix(v.Value, tombstonePrefix)
			sum, err := hex.DecodeString(t.hash)
			return err == nil && len(sum) == sha256.Size
		}),
		fixedField("sk", tombstoneSort),
		required(timeField("deleted_at", &t.at)),
		timeField("ttl", &t.expiresAt),
	}
}
