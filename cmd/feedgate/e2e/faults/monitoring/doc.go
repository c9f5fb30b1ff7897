// Package monitoring tests docs/alerts and docs/grafana against the binary: a gateway with a feed is
// scraped, and every metric and label in a rule or a panel must be in that scrape. promtool, if there is
// one, checks the rules and runs their tests, also with scrapes recorded from an idle gateway and from
// busy ones (testdata), and evaluates the queries of every panel over those.
package monitoring
