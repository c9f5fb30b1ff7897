package fgcheck

import "fmt"

// noAnswer records that no answer came in time: the server breaks the rule. If it does not answer a plain
// login either, it hangs since the rule that was tested last, which is the fault, and the check ends
// with an error.
func (k *checker) noAnswer(name rule, format string, args ...any) error {
	seen := fmt.Sprintf(format, args...)
	c, refused, err := k.hello("", 0, k.cfg.Token)
	switch {
	case c != nil:
		k.report.broke(name, "%s", seen)
		c.leave()
		return nil
	case err == nil && refused.cause != errQuiet:
		k.report.broke(name, "%s", seen)
		return nil
	}
	k.report.broke(k.doing, "the server stopped answering: %s, and no answer to another login", seen)
	return untested("the server stopped answering after %s", k.doing)
}
