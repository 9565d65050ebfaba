package pgkv

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Script runs statements beside the store in one transaction, on the primary: for
// what administrators add to the database, such as views. It must not touch the
// tables of the store, whose writers it does not lock out.
func Script(ctx context.Context, connString, statements string) error {
	connect, err := connector(connString, 10*time.Second, new(witness))
	if err != nil {
		return err
	}
	c, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer discard(c)
	tx, err := c.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return err
	}
	if err := exec(ctx, c, statements, time.Minute); err != nil {
		return err // the connection goes, and the transaction with it
	}
	return tx.Commit(ctx)
}
