package main

import (
	"io"
	stdlog "log"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"
	"github.com/sirupsen/logrus"
	"github.com/traefik/traefik/v3/pkg/observability/logs"
	otypes "github.com/traefik/traefik/v3/pkg/observability/types"
	"gopkg.in/natefinch/lumberjack.v2"
)

// Until it is known which lines are wanted.
func init() {
	zerolog.SetGlobalLevel(zerolog.ErrorLevel)
}

// Lines of libraries that have loggers of their own are those of level debug, as upstream has it.
func setUpLog(config *otypes.TraefikLog) {
	if config == nil {
		config = &otypes.TraefikLog{}
	}
	level, err := zerolog.ParseLevel(strings.ToLower(config.Level))
	if err != nil || config.Level == "" {
		level = zerolog.ErrorLevel
	}
	zerolog.SetGlobalLevel(level)
	log.Logger = zerolog.New(writerOf(config)).With().Timestamp().Logger().Level(level)
	zerolog.DefaultContextLogger = &log.Logger
	libraries := logs.NoLevel(log.Logger, zerolog.DebugLevel)
	logrus.StandardLogger().Out = libraries
	stdlog.SetFlags(stdlog.Lshortfile | stdlog.LstdFlags)
	stdlog.SetOutput(libraries)
	if err != nil {
		log.Error().Str("level", config.Level).Msg("There is no such log level; it is error")
	}
}

func writerOf(config *otypes.TraefikLog) io.Writer {
	var out io.Writer = os.Stdout
	if config.FilePath != "" {
		out = &lumberjack.Logger{
			Filename:   config.FilePath,
			MaxSize:    config.MaxSize,
			MaxBackups: config.MaxBackups,
			MaxAge:     config.MaxAge,
			Compress:   true,
		}
	}
	if config.Format == "json" {
		return out
	}
	return zerolog.ConsoleWriter{Out: out, TimeFormat: time.RFC3339, NoColor: true}
}
