// Package cli is what the command lines of feedgate and feedgate-bench share: values of
// flags, flags set by the environment, exit statuses, errors as users see them, and the
// version.
package cli
