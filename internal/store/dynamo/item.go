package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// An item is the attributes of an item, its key, or the values of an
// expression.
type item = map[string]types.AttributeValue

const (
	accountPrefix = "ACCOUNT#"
	accountSort   = "ACCOUNT"
	sessionPrefix = "SESSION#"
	tombstoneSort = "TOMBSTONE"
	receiptSort   = "RECEIPT"
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

// isAccount tells an account from the other items that are read with it.
func isAccount(i item) bool {
	sk, ok := i["sk"].(*types.AttributeValueMemberS)
	return ok && sk.Value == accountSort
}

func accountItem(a account.Account) item {
	e := encoder(accountKey(a.ID))
	e.text("user_id", a.UserID)
	e.text("connection", a.Connection)
	e.text("token_rev", a.TokenRev)
	e.text("status", string(a.Status))
	e.text("cause", string(a.Cause))
	e.token(a.ID, a.Token, a.RemovedAt)
	e.time("checked_at", a.CheckedAt)
	e.texts("permissions", a.Permissions)
	e.time("connected_at", a.ConnectedAt)
	e.time("last_login_at", a.LastLoginAt)
	e["profile"] = profileMap(a.Profile)
	return item(e)
}

func accountOf(i item) (account.Account, error) {
	d := decoder{item: i}
	a := account.Account{
		ID:         d.after("pk", accountPrefix),
		UserID:     d.text("user_id"),
		Connection: d.needed("connection"),
		TokenRev:   d.needed("token_rev"),
		Status:     account.Status(d.needed("status")),
		Cause:      account.Cause(d.text("cause")),
		Token: account.Token{
			Sealed:    d.bytes("token_sealed"),
			IssuedAt:  d.time("token_issued_at"),
			ExpiresAt: d.time("token_expires_at"),
			RefreshAt: d.time("token_refresh_at"),
		},
		Permissions: d.texts("permissions"),
		ConnectedAt: d.time("connected_at"),
		LastLoginAt: d.time("last_login_at"),
		Profile:     d.profile("profile"),
		RemovedAt:   d.time("removed_at"),
		CheckedAt:   d.time("checked_at"),
		LeaseUntil:  d.time("lease_until"),
		Resting:     d.flag("lease_rests"),
	}
	return a, d.err
}

func profileMap(p account.Profile) types.AttributeValue {
	e := encoder{}
	e.text("id", p.ID)
	e.text("user_id", p.UserID)
	e.text("username", p.Username)
	e.text("name", p.Name)
	e.text("account_type", p.AccountType)
	e.text("profile_picture_url", p.ProfilePictureURL)
	e.text("biography", p.Biography)
	e.text("website", p.Website)
	e.count("followers_count", p.FollowersCount)
	e.count("follows_count", p.FollowsCount)
	e.count("media_count", p.MediaCount)
	e.time("fetched_at", p.FetchedAt)
	e.time("rest_until", p.RestUntil)
	return &types.AttributeValueMemberM{Value: e}
}

func (d *decoder) profile(name string) account.Profile {
	m, ok := attribute[*types.AttributeValueMemberM](d, name)
	if !ok {
		return account.Profile{}
	}
	in := decoder{item: m.Value}
	p := account.Profile{
		ID:                in.text("id"),
		UserID:            in.text("user_id"),
		Username:          in.text("username"),
		Name:              in.text("name"),
		AccountType:       in.text("account_type"),
		ProfilePictureURL: in.text("profile_picture_url"),
		Biography:         in.text("biography"),
		Website:           in.text("website"),
		FollowersCount:    in.count("followers_count"),
		FollowsCount:      in.count("follows_count"),
		MediaCount:        in.count("media_count"),
		FetchedAt:         in.time("fetched_at"),
		RestUntil:         in.time("rest_until"),
	}
	if in.err != nil {
		d.err = in.err
	}
	return p
}

func sessionItem(s account.Session) item {
	e := encoder(sessionKey(account.SessionRef{AccountID: s.AccountID, Key: s.Key}))
	e.text("connection", s.Connection)
	e.time("created_at", s.CreatedAt)
	e.time("last_used_at", s.LastUsedAt)
	e.time("ttl", s.ExpiresAt)
	return item(e)
}

func sessionOf(i item) (account.Session, error) {
	d := decoder{item: i}
	s := account.Session{
		AccountID:  d.after("pk", accountPrefix),
		Key:        d.after("sk", sessionPrefix),
		Connection: d.needed("connection"),
		CreatedAt:  d.time("created_at"),
		LastUsedAt: d.time("last_used_at"),
		ExpiresAt:  d.time("ttl"),
	}
	return s, d.err
}

func aliasItem(userID, id string) item {
	e := encoder(aliasKey(userID))
	e.text("account_id", id)
	return item(e)
}

func aliasOf(i item) (id string, err error) {
	d := decoder{item: i}
	return d.needed("account_id"), d.err
}

func markerItem(m account.Marker) item {
	e := encoder(markerKey(m.State))
	e.text("attempt", m.Attempt)
	e.bytes("result", m.Result)
	e.time("ttl", m.ExpiresAt)
	return item(e)
}

func markerOf(i item) (account.Marker, error) {
	d := decoder{item: i}
	m := account.Marker{
		State:     d.after("pk", "STATE#"),
		Attempt:   d.needed("attempt"),
		Result:    d.bytes("result"),
		ExpiresAt: d.time("ttl"),
	}
	return m, d.err
}

func codeItem(c account.ConnectCode) item {
	e := encoder(codeKey(c.Hash))
	e.bytes("sealed", c.Sealed)
	e.time("ttl", c.ExpiresAt)
	return item(e)
}

func codeOf(i item) (account.ConnectCode, error) {
	d := decoder{item: i}
	c := account.ConnectCode{
		Hash:      d.after("pk", "CODE#"),
		Sealed:    d.bytes("sealed"),
		ExpiresAt: d.time("ttl"),
	}
	return c, d.err
}

func receiptItem(r account.Receipt) item {
	e := encoder(receiptKey(r.Code))
	e.time("at", r.At)
	e["deleted"] = flag(r.Deleted)
	e.time("ttl", r.ExpiresAt)
	return item(e)
}

func receiptOf(i item) (account.Receipt, error) {
	d := decoder{item: i}
	r := account.Receipt{
		Code:      d.after("pk", "RECEIPT#"),
		At:        d.time("at"),
		Deleted:   d.flag("deleted"),
		ExpiresAt: d.time("ttl"),
	}
	return r, d.err
}

func sweepItem(at time.Time) item {
	e := encoder(sweepKey())
	e.time("at", at)
	return item(e)
}

func sweepOf(i item) (time.Time, error) {
	d := decoder{item: i}
	at := d.time("at")
	if at.IsZero() {
		d.fail("at")
	}
	return at, d.err
}

func tombstoneItem(id string, at, expiresAt time.Time) item {
	hash := sha256.Sum256([]byte(id))
	e := encoder(key("TOMBSTONE#"+hex.EncodeToString(hash[:]), tombstoneSort))
	e.time("deleted_at", at)
	e.time("ttl", expiresAt)
	return item(e)
}

// names returns the placeholders of attributes in expressions. Many plain names,
// such as connection, status and ttl, are reserved words there.
func names(attributes ...string) map[string]string {
	m := make(map[string]string, len(attributes))
	for _, a := range attributes {
		m["#"+a] = a
	}
	return m
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func flag(b bool) types.AttributeValue   { return &types.AttributeValueMemberBOOL{Value: b} }
func blob(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func seconds(t time.Time) types.AttributeValue { return number(t.Unix()) }

// pointer returns v behind a pointer, or the error.
func pointer[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// An encoder adds attributes to an item, none for what is empty, zero or nil.
type encoder item

func (e encoder) text(name, s string) {
	if s != "" {
		e[name] = text(s)
	}
}

func (e encoder) bytes(name string, b []byte) {
	if len(b) > 0 {
		e[name] = blob(b)
	}
}

func (e encoder) texts(name string, list []string) {
	if list == nil {
		return
	}
	l := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(list))}
	for i, s := range list {
		l.Value[i] = text(s)
	}
	e[name] = l
}

func (e encoder) count(name string, n *int64) {
	if n != nil {
		e[name] = number(*n)
	}
}

func (e encoder) time(name string, t time.Time) {
	if !t.IsZero() {
		e[name] = seconds(t)
	}
}

// A decoder reads attributes of an item. Its err names an attribute that no
// encoder has written so.
type decoder struct {
	item item
	err  error
}

func (d *decoder) fail(name string) {
	d.err = fmt.Errorf("attribute %s is not as it was written", name)
}

// attribute returns the attribute name if there is one of that type.
func attribute[T types.AttributeValue](d *decoder, name string) (v T, ok bool) {
	a, there := d.item[name]
	if !there {
		return v, false
	}
	if v, ok = a.(T); !ok {
		d.fail(name)
	}
	return v, ok
}

func (d *decoder) text(name string) string {
	v, ok := attribute[*types.AttributeValueMemberS](d, name)
	if !ok {
		return ""
	}
	return v.Value
}

// needed reads a string that is compared with others, where an item without it
// must not pass for one that has an empty one.
func (d *decoder) needed(name string) string {
	s := d.text(name)
	if s == "" {
		d.fail(name)
	}
	return s
}

// after returns what follows prefix in a key.
func (d *decoder) after(name, prefix string) string {
	return strings.TrimPrefix(d.text(name), prefix)
}

func (d *decoder) bytes(name string) []byte {
	v, ok := attribute[*types.AttributeValueMemberB](d, name)
	if !ok {
		return nil
	}
	return v.Value
}

func (d *decoder) texts(name string) []string {
	v, ok := attribute[*types.AttributeValueMemberL](d, name)
	if !ok {
		return nil
	}
	list := make([]string, len(v.Value))
	for i, a := range v.Value {
		s, ok := a.(*types.AttributeValueMemberS)
		if !ok {
			d.fail(name)
			return nil
		}
		list[i] = s.Value
	}
	return list
}

func (d *decoder) count(name string) *int64 {
	v, ok := attribute[*types.AttributeValueMemberN](d, name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		d.fail(name)
		return nil
	}
	return &n
}

func (d *decoder) flag(name string) bool {
	v, ok := attribute[*types.AttributeValueMemberBOOL](d, name)
	return ok && v.Value
}

func (d *decoder) time(name string) time.Time {
	n := d.count(name)
	if n == nil {
		return time.Time{}
	}
	return time.Unix(*n, 0).UTC()
}
