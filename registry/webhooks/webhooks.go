// Package webhooks has the rules for telling a payer's server that something
// changed under its claims, in the form of Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com): what an endpoint's address may be, how a
// message is signed, when it is tried again, and when no more. It holds no clock
// and no store; [Sender] alone does I/O.
//
// The messages are thin: they name an entry of the payer's reliance feed, and the
// payer reads the feed. What is never delivered is therefore never lost.
//
// # States of a delivery
//
// One entry of the feed to one endpoint. The entries go out in the order of the
// feed, one at a time; the next waits until the one before it is delivered or
// dead. A message may arrive more than once, always with the same webhook-id. A
// pair that is not in the table is refused as a conflict. The test of this package
// reads this table.
//
//	state     | succeed   | fail     | exhaust | replay
//	----------+-----------+----------+---------+--------
//	waiting   | delivered | retrying | dead    | -
//	retrying  | delivered | retrying | dead    | waiting
//	delivered | -         | -        | -       | waiting
//	dead      | -         | -        | -       | waiting
//
// fail is an attempt that was not answered by 2xx while the schedule has another
// one, exhaust one after which it has none. replay is the payer's wish to have
// everything again from an entry on.
//
// # States of an endpoint
//
//	state    | disable  | replay | remove
//	---------+----------+--------+--------
//	active   | disabled | active | removed
//	disabled | -        | active | removed
//	removed  | -        | -      | -
//
// disable is the register's own: every attempt has failed for the time that the
// rules give, or the endpoint answered 410 Gone. The payer finds an entry about it
// in the feed. replay begins again at an entry that the payer names.
package webhooks

import (
	"embed"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// DeliveryState is how far the delivery of one entry has come.
type DeliveryState string

// The states of a delivery.
const (
	Waiting   DeliveryState = "waiting"
	Retrying  DeliveryState = "retrying"
	Delivered DeliveryState = "delivered"
	Dead      DeliveryState = "dead" // given up; see replay
)

// DeliveryStates lists the states of a delivery.
func DeliveryStates() []DeliveryState { return []DeliveryState{Waiting, Retrying, Delivered, Dead} }

// Words is the state in Chinese and English.
func (s DeliveryState) Words() (zh, en string) {
	w := map[DeliveryState][2]string{Waiting: {"待发送", "waiting"}, Retrying: {"发送失败，待重试", "failed, to be tried again"},
		Delivered: {"已送达", "delivered"}, Dead: {"多次失败，已停止发送", "given up"}}[s]
	return w[0], w[1]
}

// Act is what happens to a delivery or an endpoint.
type Act string

// The acts.
const (
	Succeed Act = "succeed"
	Fail    Act = "fail"
	Exhaust Act = "exhaust"
	Replay  Act = "replay"
	Disable Act = "disable"
	Remove  Act = "remove"
)

var deliveryMoves = map[DeliveryState]map[Act]DeliveryState{
	Waiting:   {Succeed: Delivered, Fail: Retrying, Exhaust: Dead},
	Retrying:  {Succeed: Delivered, Fail: Retrying, Exhaust: Dead, Replay: Waiting},
	Delivered: {Replay: Waiting},
	Dead:      {Replay: Waiting},
}

// Step is the state after an act; fail.Conflict "delivery_move" when the table
// does not have it.
func (s DeliveryState) Step(do Act) (DeliveryState, error) {
	if to, ok := deliveryMoves[s][do]; ok {
		return to, nil
	}
	zh, en := s.Words()
	return s, fail.New(fail.Conflict, "delivery_move", "a delivery that is %s cannot take the step %q", en, do).In("通知状态为“%s”，不能执行“%s”", zh, do)
}

// EndpointState is whether an endpoint is sent anything.
type EndpointState string

// The states of an endpoint.
const (
	Active   EndpointState = "active"
	Disabled EndpointState = "disabled"
	Removed  EndpointState = "removed"
)

// EndpointStates lists the states of an endpoint.
func EndpointStates() []EndpointState { return []EndpointState{Active, Disabled, Removed} }

// Words is the state in Chinese and English.
func (s EndpointState) Words() (zh, en string) {
	w := map[EndpointState][2]string{Active: {"启用", "active"}, Disabled: {"已停用", "disabled"}, Removed: {"已移除", "removed"}}[s]
	return w[0], w[1]
}

var endpointMoves = map[EndpointState]map[Act]EndpointState{
	Active:   {Disable: Disabled, Replay: Active, Remove: Removed},
	Disabled: {Replay: Active, Remove: Removed},
}

// Step is the state after an act; fail.Conflict "endpoint_move" when the table
// does not have it.
func (s EndpointState) Step(do Act) (EndpointState, error) {
	if to, ok := endpointMoves[s][do]; ok {
		return to, nil
	}
	zh, en := s.Words()
	return s, fail.New(fail.Conflict, "endpoint_move", "an endpoint that is %s cannot take the step %q", en, do).In("接收地址%s，不能执行“%s”", zh, do)
}

// Rules say when a message is sent again and when no more, from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Retry are the waits after the first, second, … failed attempt, as Go writes
	// durations. After one more failure the delivery is dead.
	Retry []string `yaml:"retry" json:"retry"`
	// JitterPercent is by how much at most a wait is longer or shorter.
	JitterPercent int `yaml:"jitter_percent" json:"jitter_percent"`
	// DisableAfterHours is for how long every attempt fails before the endpoint is
	// disabled.
	DisableAfterHours int `yaml:"disable_after_hours" json:"disable_after_hours"`
	// OverlapHours is how long the secret before the newest is signed with too.
	OverlapHours int `yaml:"overlap_hours" json:"overlap_hours"`
	// Endpoints is how many endpoints a payer may have.
	Endpoints int `yaml:"endpoints" json:"endpoints"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// waitMost bounds one wait.
const waitMost = 7 * 24 * time.Hour

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() []rulefile.Text {
	var out []rulefile.Text
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	good := len(r.Retry) >= 1 && len(r.Retry) <= 50
	for _, text := range r.Retry {
		d, err := time.ParseDuration(text)
		good = good && err == nil && d >= time.Second && d <= waitMost
	}
	say(good, "retry 应为 1 至 50 个时长，每个 1s 至 168h", "retry has 1 to 50 durations of 1s to 168h each")
	say(r.JitterPercent >= 0 && r.JitterPercent <= 50, "jitter_percent 应为 0 至 50", "jitter_percent is 0 to 50")
	say(r.DisableAfterHours >= 1 && r.DisableAfterHours <= 90*24, "disable_after_hours 应为 1 至 2160", "disable_after_hours is 1 to 2160")
	say(r.OverlapHours >= 1 && r.OverlapHours <= 30*24, "overlap_hours 应为 1 至 720", "overlap_hours is 1 to 720")
	say(r.Endpoints >= 1 && r.Endpoints <= 20, "endpoints 应为 1 至 20", "endpoints is 1 to 20")
	return out
}

// Wait is how long to wait after so many failures of one delivery, 1 or more; ok
// is false when the schedule has no further attempt. roll is random: 0 is the
// shortest wait, 65535 the longest. asked is what the endpoint asked for by
// Retry-After: the wait is no shorter, within a day.
func (r Rules) Wait(failures int, roll uint16, asked time.Duration) (wait time.Duration, ok bool) {
	if failures < 1 || failures > len(r.Retry) {
		return 0, false
	}
	d, err := time.ParseDuration(r.Retry[failures-1])
	if err != nil {
		return 0, false // Problems does not let it come here
	}
	spread := d * time.Duration(r.JitterPercent) / 100
	d += time.Duration(float64(spread) * (2*float64(roll)/65535 - 1))
	return max(d, min(asked, 24*time.Hour)).Truncate(time.Second), true
}

// DisableAfter is for how long every attempt fails before the endpoint is disabled.
func (r Rules) DisableAfter() time.Duration { return time.Duration(r.DisableAfterHours) * time.Hour }

// Overlap is how long a secret stays valid beside the next.
func (r Rules) Overlap() time.Duration { return time.Duration(r.OverlapHours) * time.Hour }
