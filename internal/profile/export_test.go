package profile

// Page is profilePage, whose words are tested without a store.
var Page = profilePage
