# The targets, one line each, are what `make` alone prints.

GO       ?= go
PKG      ?= ./...
FUZZTIME ?= 60s
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null)
LDFLAGS   = $(if $(VERSION),-X main.version=$(VERSION))

.DEFAULT_GOAL := help
.PHONY: help build demo test test-long lint fuzz bench clean

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## bin/feedgate
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/feedgate ./cmd/feedgate

demo: build ## build it and see it work, ten seconds
	bin/feedgate demo

test: lint ## vet, gofmt, and all tests under the race detector, in their short form
	$(GO) test -race -short -timeout 5m $(PKG)

test-long: lint ## the same, in their long form
	$(GO) test -race -timeout 30m $(PKG)

lint: ## go vet and gofmt
	$(GO) vet $(PKG)
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run gofmt -w on:\n%s\n' "$$unformatted" >&2; exit 1; \
	fi

fuzz: ## every fuzz target for FUZZTIME=60s
	@set -eu; for pkg in $$($(GO) list $(PKG)); do \
		targets=$$($(GO) test -list '^Fuzz' "$$pkg"); \
		for target in $$(printf '%s\n' "$$targets" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$pkg"; \
		done; \
	done

bench: ## the benchmarks of the packages, with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

clean: ## remove what was built
	rm -rf bin
