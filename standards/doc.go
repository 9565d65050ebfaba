// Package standards knows the words and numbers of China's skill evaluation:
// the eight levels, occupations and trades, examination parts and pass marks,
// certificate numbers, identity documents, organisation codes, names, civil
// dates and working days.
//
// Everything here is pure: no clock, no store, no network. A rule that rests on
// a published source names it; a value that no source confirms is data that
// says so (the Sample fields), never a constant that claims to be law.
//
// Errors are [bajigong/internal/fail] errors of kind Invalid in English and
// Chinese. They name the position and what would be right there, and never
// contain a whole identity number.
package standards
