// S opens the SQLite file it is given (WAL, synchronous FULL), inserts one
// record of 300 bytes, and closes.
package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "modernc.org/sqlite"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	for _, stmt := range []string{
		"CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, record BLOB)",
		"INSERT INTO journal (record) VALUES (zeroblob(300))",
	} {
		if _, err := db.Exec(stmt); err != nil {
			return err
		}
	}
	return db.Close()
}
