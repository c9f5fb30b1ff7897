package flags

import "fmt"

// Check notes a fault unless ok. Its text begins with the flag.
func (f *Faults) Check(ok bool, format string, args ...any) {
	if !ok {
		f.Note(fmt.Errorf(format, args...))
	}
}

// Note notes an error, unless nil, that names its flag itself.
func (f *Faults) Note(err error) {
	if err != nil {
		f.all = append(f.all, err)
	}
}

// Addf adds a fault, whose text begins with the flag.
func (f *Faults) Addf(format string, args ...any) { f.Note(fmt.Errorf(format, args...)) }
