package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// duckdb runs queries in DuckDB, which npm installs into the scratch folder.
func (n *node) duckdb(queries map[string]string) map[string][]map[string]any {
	n.T.Helper()
	for _, name := range []string{"package.json", "query.mjs"} {
		text, err := os.ReadFile(filepath.Join("duckdb", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(n.Dir, name), text, 0o600)
		}
		if err != nil {
			n.T.Fatal(err)
		}
	}
	if _, said, exit := n.Run(`[ -d node_modules ] || npm install --no-audit --no-fund --ignore-scripts --no-package-lock --loglevel error`); exit != 0 {
		n.T.Skipf("npm cannot fetch DuckDB, so it was asked nothing: %.300s", said)
	}
	text, err := json.Marshal(queries)
	if err != nil {
		n.T.Fatal(err)
	}
	cmd := exec.Command("node", "query.mjs")
	cmd.Dir, cmd.Env, cmd.Stdin = n.Dir, append(n.Env, "TZ=UTC"), strings.NewReader(string(text))
	out, err := cmd.Output()
	if err != nil {
		n.T.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var answers map[string][]map[string]any
	if err := json.Unmarshal(out, &answers); err != nil {
		n.T.Fatal(err)
	}
	return answers
}

// questions are what somebody asks of a node's history; $ is the files.
var questions = map[string]string{
	"types": "select typeof(seq) seq, typeof(crit) crit, typeof(time) as time, typeof(uptime_ms) up, typeof(epoch) epoch, typeof(data) as data, typeof(exit_code) code, typeof(reason) reason from $ limit 1",
	"kinds": "select type, count(*) n from $ group by type order by type",
	"epochs per quarter": `select year(time::timestamp) || ' Q' || quarter(time::timestamp) as q, count(*) n
		from $ where type = 'EpochRotated' group by 1 order by 1`,
	"reconstruction by cause": `with u as (select journal, seq, cause from $ where type = 'UpdateDetected'),
			r as (select journal, seq, duration_ms from $ where type = 'EpochRotated')
		select u.cause, count(*) n, sum(r.duration_ms)::bigint total from r asof join u on r.journal = u.journal and r.seq >= u.seq group by 1 order by 1`,
	"failures by stage": "select stage, exit_code, count(distinct run) n from $ where type = 'PrecheckFailed' group by 1, 2 order by 1, 2",
	"boots by software": "select data->>'$.software' software, count(*) n from $ where role is not null group by 1 order by 1",
	"links":             "select count(*) n from $ a join $ b on a.journal = b.journal and b.seq = a.seq + 1 where a.hash = b.prev",
	"exact times":       "select seq, strftime(time::timestamp, '%Y-%m-%dT%H:%M:%S.%f') || printf('%03dZ', time_nanos) exact from $ order by journal, seq",
}

// answers are the same, found in the exported lines without a database.
func answers(t testing.TB, journals ...[]line) map[string][]string {
	t.Helper()
	kinds, quarters, stages, software := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	type cost struct{ n, total int }
	causes, failed := map[string]cost{}, map[string]bool{}
	links := 0
	for _, all := range journals {
		cause := ""
		for _, r := range all {
			kinds[r.Type]++
			at, err := time.Parse(time.RFC3339Nano, r.Time)
			if err != nil {
				t.Fatal(err)
			}
			switch r.Type {
			case "UpdateDetected":
				cause = r.Data["cause"].(string)
			case "EpochRotated":
				quarters[fmt.Sprintf("%d Q%d", at.Year(), (int(at.Month())+2)/3)]++
				if cause != "" {
					c := causes[cause]
					causes[cause] = cost{c.n + 1, c.total + int(r.Data["duration_ms"].(float64))}
				}
			case "PrecheckFailed":
				stage := fmt.Sprintf("%v/%v", r.Data["stage"], r.Data["exit_code"])
				if !failed[stage+r.Run] {
					stages[stage]++
				}
				failed[stage+r.Run] = true
			case "FingerprintCaptured":
				software[r.Data["software"].(string)]++
			}
		}
		links += len(all) - 1
	}
	counted := func(m map[string]int) []string {
		var rows []string
		for name, n := range m {
			rows = append(rows, name+"/"+strconv.Itoa(n))
		}
		slices.Sort(rows)
		return rows
	}
	var byCause []string
	for cause, c := range causes {
		byCause = append(byCause, fmt.Sprintf("%s/%d/%d", cause, c.n, c.total))
	}
	slices.Sort(byCause)
	return map[string][]string{
		"types": {"BIGINT/BOOLEAN/TIMESTAMP WITH TIME ZONE/BIGINT/BIGINT/JSON/BIGINT/VARCHAR"},
		"kinds": counted(kinds), "epochs per quarter": counted(quarters), "reconstruction by cause": byCause,
		"failures by stage": counted(stages), "boots by software": counted(software), "links": {strconv.Itoa(links)},
	}
}

// flat writes rows as text, members in the order of the question.
func flat(rows []map[string]any, members ...string) []string {
	var out []string
	for _, row := range rows {
		var cells []string
		for _, m := range members {
			cells = append(cells, fmt.Sprint(row[m]))
		}
		out = append(out, strings.Join(cells, "/"))
	}
	slices.Sort(out)
	return out
}

func (n *node) ask(histories ...string) {
	n.T.Helper()
	var files []string
	var journals [][]line
	for i, h := range histories {
		name := filepath.Join(n.Dir, strconv.Itoa(i))
		n.Sh(fmt.Sprintf(`edgectl journal export --journal %s --format parquet --out %s.parquet; edgectl journal export --journal %s --format jsonl --out %s.jsonl`, h, name, h, name))
		files = append(files, "'"+name+".parquet'")
		journals = append(journals, records(n.T, name+".jsonl"))
	}
	queries := map[string]string{}
	for name, sql := range questions {
		queries[name] = strings.ReplaceAll(sql, "$ ", "read_parquet(["+strings.Join(files, ",")+"]) ")
	}
	got, want := n.duckdb(queries), answers(n.T, journals...)
	for name, members := range map[string][]string{
		"types": {"seq", "crit", "time", "up", "epoch", "data", "code", "reason"}, "kinds": {"type", "n"}, "epochs per quarter": {"q", "n"},
		"reconstruction by cause": {"cause", "n", "total"}, "failures by stage": {"stage", "exit_code", "n"}, "boots by software": {"software", "n"}, "links": {"n"},
	} {
		if rows := flat(got[name], members...); !slices.Equal(rows, want[name]) {
			n.T.Errorf("%s: DuckDB says\n%v\nthe lines say\n%v", name, rows, want[name])
		} else {
			n.T.Logf("%s: %v", name, rows)
		}
	}
	var times []string
	for _, all := range journals {
		for _, r := range all {
			times = append(times, fmt.Sprintf("%d/%s", r.Seq, r.Time))
		}
	}
	slices.Sort(times)
	if rows := flat(got["exact times"], "seq", "exact"); !slices.Equal(rows, times) {
		n.T.Errorf("times: %v\nwant %v", rows[:2], times[:2])
	}
}

func TestParquetInDuckDB(t *testing.T) {
	n := livedNode(t, "node", "npm")
	n.ask("$STATE")
}

// Two years of a node, one journal before a salvage and one after it.
func TestParquetTwoYearsInDuckDB(t *testing.T) {
	var histories []string
	for _, name := range []string{"depot-07.jsonl", "harbour-02.jsonl"} {
		path, err := filepath.Abs(filepath.Join("../../fixtures/twoyears", name))
		if err != nil {
			t.Fatal(err)
		}
		histories = append(histories, path)
	}
	newNode(t, "node", "npm").ask(histories...)
}
