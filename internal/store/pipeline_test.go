package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/run"
)

// TestHeldBackStatements: what nobody waits for is done all the same, in its order, and its
// error undoes everything.
func TestHeldBackStatements(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		write := func(key, value string) func(x *tx) error {
			return func(x *tx) error {
				x.later("write "+key, "INSERT INTO schemacast_meta (key, value) VALUES (?, ?)", key, value)
				return nil
			}
		}
		g.must(g.transact(t.Context(), write("a", "1")))
		g.wantValue("1", "SELECT value FROM schemacast_meta WHERE key = 'a'")

		err := g.transact(t.Context(), func(x *tx) error {
			g.must(write("b", "1")(x))
			var seen string
			if _, err := x.query(&seen, "SELECT value FROM schemacast_meta WHERE key = 'b'"); err != nil || seen != "1" {
				t.Errorf("a statement that was held back is not seen: %q, %v", seen, err)
			}
			return errors.New("no")
		})
		if err == nil || !strings.Contains(err.Error(), "no") {
			t.Errorf("transact = %v, want the error of its function", err)
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_meta WHERE key = 'b'")

		err = g.transact(t.Context(), func(x *tx) error {
			g.must(write("c", "1")(x))
			return write("a", "2")(x) // the key is taken
		})
		if err == nil {
			t.Error("a key was written twice")
		}
		g.wantValue("0", "SELECT count(*) FROM schemacast_meta WHERE key = 'c'")
		g.must(g.transact(t.Context(), write("d", "1"))) // the connection is of use still
	})
}

// TestQuestionsTogether: each gets its own answer.
func TestQuestionsTogether(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.must(g.transact(t.Context(), func(x *tx) error {
			var one, none, changed int64
			var number int
			var list []string
			nothing := "untouched"
			err := x.ask(
				question{dest: &number, n: &one, sql: "SELECT 1 + ?", args: []any{6}},
				question{n: &changed, sql: "UPDATE tenants SET name = 'x' WHERE id IN ?", args: []any{[]string{g.tenant, "other"}}},
				question{dest: &nothing, n: &none, sql: "SELECT name FROM tenants WHERE id = 'nobody'"},
				question{dest: &list, sql: "SELECT name FROM tenants ORDER BY id"},
			)
			if got := fmt.Sprintln(number, one, changed, none, nothing, list); got != "7 1 2 0 untouched [x x]\n" {
				t.Errorf("answers: %s", got)
			}
			return err
		}))
	})
}

// TestTransactionsEnd: whatever ends a transaction, the pool has the connection back and
// nothing is locked.
func TestTransactionsEnd(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		one := g.another(func(c *Config) { c.MaxConns = 1 })
		touch := func(x *tx) error {
			_, err := x.exec("UPDATE tenants SET name = 'touched' WHERE id = ?", g.tenant)
			return err
		}
		for name, end := range map[string]func(cancel func(), x *tx) error{
			"error":   func(func(), *tx) error { return run.ErrClaimLost },
			"failed":  func(_ func(), x *tx) error { _, err := x.exec("SELECT nonsense"); return err },
			"ignored": func(_ func(), x *tx) error { _, _ = x.exec("SELECT nonsense"); return nil },
			"panic":   func(func(), *tx) error { panic("in the middle") },
			"context": func(cancel func(), x *tx) error { cancel(); return touch(x) },
		} {
			if name == "ignored" && g.dialect.begin == "" {
				continue // SQLite's transactions survive their errors
			}
			ctx, cancel := context.WithCancel(t.Context())
			err := recovered(func() error {
				return one.transact(ctx, func(x *tx) error { return errors.Join(touch(x), end(cancel, x)) })
			})
			cancel()
			if err == nil {
				t.Errorf("%s: the transaction was committed", name)
			}
			one.wantValue("Globex", "SELECT name FROM tenants WHERE id = ?", g.tenant)
			g.must(g.transact(t.Context(), func(x *tx) error { return errors.Join(touch(x), untouch(x)) }))
		}
	})
}

func untouch(x *tx) error {
	_, err := x.exec("UPDATE tenants SET name = 'Globex' WHERE name = 'touched'")
	return err
}

func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}
