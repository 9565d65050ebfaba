package registry

import "sync"

// recent keeps what was computed not long ago: at least the last few thousand
// values, at most twice as many. What it keeps must say by itself, from a version
// read in the same snapshot, whether it still holds.
type recent[K comparable, V any] struct {
	mu       sync.Mutex
	now, old map[K]V
}

// recentValues is how many values one generation of a recent has. A verdict with
// its code is about 2 KB.
const recentValues = 4096

func (c *recent[K, V]) look(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.now[k]
	if !ok {
		if v, ok = c.old[k]; ok {
			c.put(k, v)
		}
	}
	return v, ok
}

func (c *recent[K, V]) keep(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, v)
}

func (c *recent[K, V]) put(k K, v V) {
	if c.now == nil || len(c.now) >= recentValues {
		c.old, c.now = c.now, make(map[K]V, recentValues)
	}
	c.now[k] = v
}
