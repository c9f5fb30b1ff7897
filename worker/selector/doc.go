// Package selector picks parts of messages: keys, ids, and the values of templates.
package selector
