package main

import (
	"io"
	"log/slog"
)

// logFlags are the flags of a command that logs.
type logFlags struct {
	LogFormat string `group:"process" placeholder:"FORMAT" enum:"text,json" default:"text" help:"Of the logs on stderr: text or json [${default}]."`
	LogLevel  string `group:"process" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"From debug, info, warn or error on [${default}]."`
}

// logger makes the logger that the flags ask for.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // the enum of LogLevel lists slog's names
	}
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
