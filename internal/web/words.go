package web

import "strings"

// Words are what the settings make of every page. The zero value is photopass
// without anything further, in the graph dialect.
type Words struct {
	AppName          string // empty: photopass
	PrivacyPolicyURL string // https; empty: none
	Contact          string // an e-mail address or an https URL; empty: none
	NoAccountChoice  bool   // Instagram offers no choice of another account, as in the legacy dialect
}

func (w Words) appName() string {
	if w.AppName == "" {
		return "photopass"
	}
	return w.AppName
}

// contactLink returns the address of a link to the contact.
func (w Words) contactLink() string {
	if w.Contact == "" || strings.HasPrefix(w.Contact, "https://") {
		return w.Contact
	}
	return "mailto:" + w.Contact
}

// contactLabel shows an e-mail address as it is, so that it can be copied; a
// URL says nothing that its link doesn't.
func (w Words) contactLabel() string {
	if strings.HasPrefix(w.Contact, "https://") {
		return "Contact"
	}
	return w.Contact
}
