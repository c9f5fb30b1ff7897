// Package cli has the code that the commands feedgate and feedgate-bench share: types of flags,
// environment variables of flags, exit statuses, printed errors, and the version.
package cli
