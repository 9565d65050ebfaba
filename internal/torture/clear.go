package torture

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Clear empties the store in a PostgreSQL database. It is for one that the
// caller found empty and filled.
func Clear(ctx context.Context, connString string) error {
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return fmt.Errorf("clear the store: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "truncate bajigong_kv"); err != nil {
		return fmt.Errorf("clear the store: %w", err)
	}
	return nil
}
