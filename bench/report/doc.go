// Package report prints [bench.File]s: as tables in text, and as an HTML page of tables and charts.
// It does not trust a file: names and notes are cleaned or escaped, charts leave out figures that
// cannot be drawn, and charts are limited in number and size. Two figures differ if their spreads
// do not overlap. With fewer than 2 rounds there is no spread, and no difference is claimed.
package report
