package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// perSecond is a rate, 0 for no limit.
type perSecond float64

// UnmarshalText reads 500/s, 1000/m, 20/h, or 500, which is a second's.
func (r *perSecond) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(string(text), "/")
	seconds, known := map[string]float64{"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}[unit]
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || !known || n != n || n > 1e9:
		return fmt.Errorf("%q is no rate; write such as 500/s, 1000/m or 20/h", text)
	case n <= 0:
		return fmt.Errorf("a rate of %s asks for nothing; write such as 500/s, or leave --rate out for no limit", text)
	}
	*r = perSecond(n / seconds)
	return nil
}

// moment is a time as people write it; the zero value is none.
type moment struct {
	text string
	at   time.Time
	day  bool // a whole day
}

// UnmarshalText reads a day, a time, or how long ago.
func (m *moment) UnmarshalText(text []byte) error {
	m.text = string(text)
	if at, err := time.Parse(time.DateOnly, m.text); err == nil {
		m.at, m.day = at, true
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if at, err := time.Parse(layout, m.text); err == nil {
			m.at = at.UTC()
			return nil
		}
	}
	if ago, ok := age(m.text); ok {
		m.at = time.Now().UTC().Add(-ago)
		return nil
	}
	return fmt.Errorf("%q is no date; write such as 2026-01-31, 2026-01-31T08:00:00Z, or 30d for thirty days ago", text)
}

// age reads 36h, or 30d, which time.ParseDuration does not know.
func age(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0 // 16 bits of days are less than 180 years
	}
	ago, err := time.ParseDuration(text)
	return ago, err == nil && ago > 0
}

func (m moment) begin() time.Time { return m.at }

// end is the first moment that is not included.
func (m moment) end() time.Time {
	if m.day {
		return m.at.AddDate(0, 0, 1)
	}
	return m.at
}
