// Package selector picks parts of messages: their keys, their IDs, and the values of templates.
// [Parse] reads a [Selector] from its text, such as json:user; docs/upstreams.md lists the forms
// for users.
package selector
