// Package blanks has the rules for numbered blank certificates 空白证书: how they
// are applied for and come in, who may have how many, what may become of each of
// them, and what a print of a certificate needs. Every blank has a code 印制流水码
// ([Code]) and is at every moment in exactly one [State]; blanks with neighbouring
// codes in one state are kept together as a [Run].
//
// Evaluation institutions print and issue by themselves, no authority produces
// the paper 监制, and the code on it is optional (人社鉴发〔2021〕1号). Everything
// beyond that (who approves, how codes are written, how many spare blanks, when
// stock is counted) is confirmed by no national text and stands in [Rules].
//
// Nothing here reads a clock or a store.
package blanks
