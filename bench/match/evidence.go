package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/schemacast/schemacast/internal/analysis/match"
)

// writeEvidence writes what the matcher sees of every pair of fields, or of every
// schema and entity, with whether they belong together: what fit.py fits the weights
// to. Columns: the pair or case, source field (0 for cases), target field or entity,
// 1 or 0 for right or wrong, then the evidence.
func (d *dataset) writeEvidence(path string) (err error) {
	file, err := os.Create(path) //nolint:gosec // the file that the user names
	if err != nil {
		return fmt.Errorf("write the evidence: %w", err)
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = fmt.Errorf("write the evidence: %w", closing)
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<20)
	if err := d.evidence(buffered); err != nil {
		return fmt.Errorf("write the evidence: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write the evidence: %w", err)
	}
	return nil
}

func (d *dataset) evidence(to io.Writer) error {
	w := csv.NewWriter(to)
	names := match.EvidenceNames()
	if len(d.Cases) > 0 {
		names = match.EntityEvidenceNames()
	}
	if err := w.Write(append([]string{"group", "source", "target", "right"}, names...)); err != nil {
		return err
	}
	for i, p := range d.Pairs {
		if err := p.evidence(w, i); err != nil {
			return err
		}
	}
	for i, c := range d.Cases {
		known := c.known(d.Entities)
		for j, e := range match.NewIndex(known).CompareEntities(match.ProfilesOf(c.Source.fields())) {
			if err := w.Write(row(i, 0, j, known[j].Name == c.Truth, e)); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func (p pair) evidence(w *csv.Writer, i int) error {
	for s, list := range match.Compare(match.ProfilesOf(p.Source.fields()), p.Target.entity()) {
		for t, e := range list {
			right := slices.Contains(p.Truth, [2]string{p.Source.Fields[s].Name, p.Target.Fields[t].Name})
			if err := w.Write(row(i, s, t, right, e)); err != nil {
				return err
			}
		}
	}
	return nil
}

func row(group, source, target int, right bool, evidence match.Evidence) []string {
	cells := []string{strconv.Itoa(group), strconv.Itoa(source), strconv.Itoa(target), "0"}
	if right {
		cells[3] = "1"
	}
	for _, x := range evidence {
		cells = append(cells, strconv.FormatFloat(float64(x), 'g', 6, 32))
	}
	return cells
}
