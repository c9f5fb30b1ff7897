// Package report makes what [bench.File]s hold readable: tables as text, and a
// page of tables and charts as HTML. It measures nothing and trusts nothing in a
// file: names and notes are cleaned or escaped, figures that cannot be drawn are
// left out of the charts, and charts are limited in number and size.
//
// Two figures differ when the intervals of their spreads have no value in common.
// Where either comes from fewer than 2 rounds there is no spread to judge by, and
// nothing is claimed.
package report
