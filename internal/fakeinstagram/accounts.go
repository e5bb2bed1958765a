package fakeinstagram

import "slices"

// An Account is one that can be signed in at the fake. Text that is empty is
// left out of the profile.
type Account struct {
	ID          string // app-scoped id: /me.id and the token answer's user_id; legacy: the user id
	UserID      string // id of the professional account: /me.user_id; unused in legacy
	Username    string
	Name        string
	AccountType string // "BUSINESS", "MEDIA_CREATOR" or "PERSONAL"; unused in legacy
	Biography   string
	Website     string

	Followers, Follows, Media int

	NoPicture bool   // the profile has no picture
	Picture   string // URL to give as the picture; empty: one that the fake serves
}

// defaultAccounts are the accounts of a new Instagram. Most ids are odd and
// above 2^53: decoded as float64 they become another id.
func defaultAccounts(api string) []Account {
	if api == legacyAPI {
		return []Account{{
			ID: "1574083", Username: "snoopdogg", Name: "Snoop Dogg",
			Biography: "This is my bio", Website: "http://snoopdogg.com",
			Media: 1320, Follows: 420, Followers: 3410,
		}}
	}
	return []Account{
		{ID: "27640875392278831", UserID: "17841405793187218", Username: "acme", Name: "Acme",
			AccountType: "BUSINESS", Followers: 123, Follows: 45, Media: 67},
		{ID: "17841405793187219", UserID: "17841405793187221", Username: "lima_tests", Name: "Lima",
			AccountType: "MEDIA_CREATOR", Followers: 7, Follows: 8, Media: 9, NoPicture: true},
		{ID: "27640875392278833", UserID: "17841405793187223", Username: "casual", Name: "Casual",
			AccountType: "PERSONAL", Followers: 3, Follows: 2, Media: 1},
	}
}

// PutAccount adds a, or replaces the account that has its ID.
func (i *Instagram) PutAccount(a Account) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := i.accountIndex(a.ID); n >= 0 {
		i.accounts[n] = a
		return
	}
	i.accounts = append(i.accounts, a)
}

// SignIn makes the account with this id the one whose consent page is shown
// next. An id that the fake does not know changes nothing.
func (i *Instagram) SignIn(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.accountIndex(id) >= 0 {
		i.signedIn = id
	}
}

// account returns the account with this id. The caller holds mu.
func (i *Instagram) account(id string) (Account, bool) {
	n := i.accountIndex(id)
	if n < 0 {
		return Account{}, false
	}
	return i.accounts[n], true
}

// accountIndex is -1 for an unknown id. The caller holds mu.
func (i *Instagram) accountIndex(id string) int {
	return slices.IndexFunc(i.accounts, func(a Account) bool { return a.ID == id })
}
