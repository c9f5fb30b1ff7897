package admin

// Process is what is reported of the process. Any goroutine may call its functions.
type Process struct {
	Version, Revision, GoVersion string
	// LogDropped returns the number of lines of the log that were dropped. Nil: none can be.
	LogDropped func() uint64
}

// processFamilies are the metrics of the process. docs/metrics.md explains each.
var processFamilies = []family[*Process]{
	{"feedgate_build_info", "1, with the version of the program.", gauge,
		[]string{"version", "revision", "go_version"}, func(p *Process, emit emit) {
			emit(uint64(1), p.Version, p.Revision, p.GoVersion)
		}},
	number("feedgate_log_dropped_total", "Lines of the log that were dropped because nobody read them.", counter,
		func(p *Process) uint64 {
			if p.LogDropped == nil {
				return 0
			}
			return p.LogDropped()
		}),
}
