package evaluators

import (
	"fmt"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// ministry is the region of what is filed with the ministry, not with a province.
const ministry = "000000"

// province reports a value that is not the two-digit code of a province.
func province(name, value, zh, en string) []fail.Field {
	if fs := digits(name, value, 2, zh, en); len(fs) > 0 {
		return fs
	}
	if _, ok := standards.Province(value); !ok {
		return []fail.Field{wrong(name, "province",
			fmt.Sprintf("%s %s 不存在", zh, value), fmt.Sprintf("the %s %s does not exist", en, value))}
	}
	return nil
}

// region reports a value that is not a six-digit code in a province.
func region(name, value, zh, en string) []fail.Field {
	if fs := digits(name, value, 6, zh, en); len(fs) > 0 {
		return fs
	}
	if _, ok := standards.Province(value[:2]); !ok {
		return []fail.Field{wrong(name, "province",
			fmt.Sprintf("%s %s 的前两位不是省级代码", zh, value), fmt.Sprintf("the %s %s does not begin with a province", en, value))}
	}
	return nil
}
