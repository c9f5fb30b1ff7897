// Package e2e holds the acceptance tests of the feedgate command. They build
// the real binary, run it as a child process against servers written here with
// plain sockets, and hold it to the outside contract alone: nothing of the
// module is imported but test kits, and the codec of FG/1 is a second, independent one.
//
// FEEDGATE_TEST_RACE=1 builds the binary with the race detector; -short sends a
// tenth of the messages in the volume tests.
package e2e
