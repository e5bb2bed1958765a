package web

import "cmp"

// permissionWords are Instagram's permissions in plain words (Meta, "Permissions
// Reference"; for the API of 2018 the developer pages of that time, "Login
// Permissions").
var permissionWords = map[string]string{
	"instagram_business_basic":           "Read your profile and your posts",
	"instagram_business_content_publish": "Publish posts for you",
	"instagram_business_manage_messages": "Read and answer your messages",
	"instagram_business_manage_comments": "Read, write, hide and delete comments on your posts",
	"instagram_business_manage_insights": "Read the statistics of your account and your posts",

	"basic":          "Read your profile and your posts",
	"public_content": "Read public profiles and posts of others",
	"follower_list":  "Read whom you follow and who follows you",
	"comments":       "Write and delete comments for you",
	"relationships":  "Follow and unfollow accounts for you",
	"likes":          "Like and unlike posts for you",
}

// Permission returns a permission of Instagram in plain words; one that is
// not known stays as Instagram names it.
func Permission(name string) string {
	return cmp.Or(permissionWords[name], name)
}
