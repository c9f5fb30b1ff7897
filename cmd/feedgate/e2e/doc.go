// Package e2e has the acceptance tests of the feedgate command. They build the real binary, run it as
// a child process against servers written here with plain sockets, and test only its public
// contract: of the module, they import only test kits, and their FG/1 codec is an independent second
// implementation.
//
// FEEDGATE_TEST_RACE=1 builds the binary with the race detector. With -short, volume tests send a
// tenth of the messages.
package e2e
