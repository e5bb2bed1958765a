package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

const (
	accountPrefix   = "ACCOUNT#"
	accountSort     = "ACCOUNT"
	sessionPrefix   = "SESSION#"
	tombstonePrefix = "TOMBSTONE#"
	tombstoneSort   = "TOMBSTONE"
	receiptSort     = "RECEIPT"
)

func key(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

func accountKey(id string) item   { return key(accountPrefix+id, accountSort) }
func aliasKey(userID string) item { return key("ALIAS#"+userID, "ALIAS") }
func markerKey(state string) item { return key("STATE#"+state, "STATE") }
func codeKey(hash string) item    { return key("CODE#"+hash, "CODE") }
func receiptKey(code string) item { return key("RECEIPT#"+code, receiptSort) }
func sweepKey() item              { return key("SWEEP#", "SWEEP") }

func sessionKey(ref account.SessionRef) item {
	return key(accountPrefix+ref.AccountID, sessionPrefix+ref.Key)
}

// keyOf returns the key of an item.
func keyOf(i item) item { return item{"pk": i["pk"], "sk": i["sk"]} }

// isAccount tells an account from the other items that are read with it.
func isAccount(i item) bool { return textOf(i, "sk") == accountSort }

// accountFields are the attributes that a login writes.
func accountFields(a *account.Account) []field {
	return append(tokenFields(a),
		textField("user_id", &a.UserID),
		neededField("connection", &a.Connection),
		timeField("checked_at", &a.CheckedAt),
		textsField("permissions", &a.Permissions),
		timeField("connected_at", &a.ConnectedAt),
		timeField("last_login_at", &a.LastLoginAt),
		profileField("profile", &a.Profile),
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

// leaseFields are the attributes of a lease that an account shows. Only
// [account.Store.Lease] writes them.
func leaseFields(a *account.Account) []field {
	return []field{
		timeField("lease_until", &a.LeaseUntil),
		boolField("lease_rests", &a.Resting),
	}
}

func accountItem(a account.Account) item { return newItem(accountKey(a.ID), accountFields(&a)...) }

func accountOf(i item) (account.Account, error) {
	a := account.Account{ID: after(i, "pk", accountPrefix)}
	err := read(i, append(accountFields(&a), leaseFields(&a)...)...)
	return a, err
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
	value := &types.AttributeValueMemberM{Value: newItem(item{}, profileFields(p)...)}
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
		neededField("connection", &s.Connection),
		timeField("created_at", &s.CreatedAt),
		timeField("last_used_at", &s.LastUsedAt),
		timeField("ttl", &s.ExpiresAt),
	}
}

func sessionItem(s account.Session) item {
	return newItem(sessionKey(account.SessionRef{AccountID: s.AccountID, Key: s.Key}), sessionFields(&s)...)
}

func sessionOf(i item) (account.Session, error) {
	s := account.Session{AccountID: after(i, "pk", accountPrefix), Key: after(i, "sk", sessionPrefix)}
	err := read(i, sessionFields(&s)...)
	return s, err
}

func aliasItem(userID, id string) item {
	return newItem(aliasKey(userID), neededField("account_id", &id))
}

func aliasOf(i item) (id string, err error) {
	err = read(i, neededField("account_id", &id))
	return id, err
}

func markerFields(m *account.Marker) []field {
	return []field{
		neededField("attempt", &m.Attempt),
		bytesField("result", &m.Result),
		timeField("ttl", &m.ExpiresAt),
	}
}

func markerItem(m account.Marker) item { return newItem(markerKey(m.State), markerFields(&m)...) }

func markerOf(i item) (account.Marker, error) {
	m := account.Marker{State: after(i, "pk", "STATE#")}
	err := read(i, markerFields(&m)...)
	return m, err
}

func codeFields(c *account.ConnectCode) []field {
	return []field{bytesField("sealed", &c.Sealed), timeField("ttl", &c.ExpiresAt)}
}

func codeItem(c account.ConnectCode) item { return newItem(codeKey(c.Hash), codeFields(&c)...) }

func codeOf(i item) (account.ConnectCode, error) {
	c := account.ConnectCode{Hash: after(i, "pk", "CODE#")}
	err := read(i, codeFields(&c)...)
	return c, err
}

func receiptFields(r *account.Receipt) []field {
	return []field{timeField("at", &r.At), boolField("deleted", &r.Deleted), timeField("ttl", &r.ExpiresAt)}
}

func receiptItem(r account.Receipt) item { return newItem(receiptKey(r.Code), receiptFields(&r)...) }

func receiptOf(i item) (account.Receipt, error) {
	r := account.Receipt{Code: after(i, "pk", "RECEIPT#")}
	err := read(i, receiptFields(&r)...)
	return r, err
}

func sweepFields(at *time.Time) []field {
	f := timeField("at", at)
	f.needed = true
	return []field{f}
}

func sweepOf(i item) (at time.Time, err error) {
	err = read(i, sweepFields(&at)...)
	return at, err
}

func tombstoneItem(id string, at time.Time) item {
	hash, expiresAt := sha256.Sum256([]byte(id)), at.Add(tombstoneAge)
	k := key(tombstonePrefix+hex.EncodeToString(hash[:]), tombstoneSort)
	return newItem(k, timeField("deleted_at", &at), timeField("ttl", &expiresAt))
}
