package blanks

import "bajigong/internal/fail"

// State is where a blank is. A pair that is not in the table is refused as a
// conflict; the test of this package reads the table.
//
//	state     | receive | take  | return | print   | spoil   | lose | find    | collect | release | destroy
//	----------+---------+-------+--------+---------+---------+------+---------+---------+---------+----------
//	sent      | stock   | -     | -      | -       | -       | lost | -       | -       | -       | -
//	stock     | -       | taken | -      | -       | spoiled | lost | -       | -       | -       | -
//	taken     | -       | -     | stock  | printed | spoiled | lost | -       | -       | -       | -
//	printed   | -       | -     | -      | -       | spoiled | -    | -       | -       | -       | -
//	spoiled   | -       | -     | -      | -       | -       | -    | -       | waiting | -       | -
//	lost      | -       | -     | -      | -       | -       | -    | spoiled | -       | -       | -
//	waiting   | -       | -     | -      | -       | -       | -    | -       | -       | spoiled | destroyed
//	destroyed | -       | -     | -      | -       | -       | -    | -       | -       | -       | -
//
// A printed paper that is lost is no matter of blanks: its certificate is reissued
// 补发, so that the lost paper says superseded. A lost blank that turns up again is
// not used any more.
type State string

// The states.
const (
	Sent      State = "sent"      // 已发出，在途
	InStock   State = "stock"     // 已入库
	Taken     State = "taken"     // 已领用
	Printed   State = "printed"   // 已打印
	Spoiled   State = "spoiled"   // 已作废
	Lost      State = "lost"      // 遗失
	Waiting   State = "waiting"   // 待销毁
	Destroyed State = "destroyed" // 已销毁
)

// States lists every state.
func States() []State {
	return []State{Sent, InStock, Taken, Printed, Spoiled, Lost, Waiting, Destroyed}
}

var stateWords = map[State][2]string{
	Sent: {"已发出、未入库", "sent and not yet received"}, InStock: {"库存", "in stock"}, Taken: {"已领用、未打印", "taken and not yet printed"},
	Printed: {"已打印", "printed"}, Spoiled: {"已作废", "spoiled"}, Lost: {"遗失", "lost"}, Waiting: {"待销毁", "waiting for destruction"}, Destroyed: {"已销毁", "destroyed"},
}

// Words is the state as officials say it.
func (s State) Words() (zh, en string) { w := stateWords[s]; return w[0], w[1] }

// Act is what is done to blanks.
type Act string

// The acts.
const (
	Receive Act = "receive" // 入库
	Take    Act = "take"    // 领用, for one session
	Return  Act = "return"  // 退回
	Print   Act = "print"   // 打印
	Spoil   Act = "spoil"   // 作废
	Lose    Act = "lose"    // 登记遗失
	Find    Act = "find"    // 遗失后找回
	Collect Act = "collect" // 列入销毁批次
	Release Act = "release" // 从销毁批次中移出
	Destroy Act = "destroy" // 销毁
)

// Acts lists every act.
func Acts() []Act {
	return []Act{Receive, Take, Return, Print, Spoil, Lose, Find, Collect, Release, Destroy}
}

var actWords = map[Act][2]string{
	Receive: {"入库", "received"}, Take: {"领用", "taken"}, Return: {"退回", "returned"}, Print: {"打印", "printed on"}, Spoil: {"作废", "spoiled"},
	Lose: {"登记遗失", "reported lost"}, Find: {"登记找回", "found"}, Collect: {"列入销毁批次", "put in a destruction batch"},
	Release: {"移出销毁批次", "taken out of a destruction batch"}, Destroy: {"销毁", "destroyed"},
}

// Words is the act as officials say it.
func (a Act) Words() (zh, en string) { w := actWords[a]; return w[0], w[1] }

var next = map[State]map[Act]State{
	Sent:    {Receive: InStock, Lose: Lost},
	InStock: {Take: Taken, Spoil: Spoiled, Lose: Lost},
	Taken:   {Return: InStock, Print: Printed, Spoil: Spoiled, Lose: Lost},
	Printed: {Spoil: Spoiled},
	Spoiled: {Collect: Waiting},
	Lost:    {Find: Spoiled},
	Waiting: {Release: Spoiled, Destroy: Destroyed},
}

// Next is the state after an act. Error: Conflict blank_state.
func Next(from State, do Act) (State, error) {
	to, ok := next[from][do]
	if ok {
		return to, nil
	}
	fromZH, fromEN := from.Words()
	doZH, doEN := do.Words()
	e := fail.New(fail.Conflict, "blank_state", "a blank that is %s cannot be %s", fromEN, doEN).In("“%s”的空白证书不能%s", fromZH, doZH)
	if from == Printed && do == Lose {
		e = fail.New(fail.Conflict, "blank_state", "a printed paper that is lost is reissued, so that the lost one says superseded; its blank stays printed").
			In("已打印的证书遗失，应办理证书补发，原证书随即显示“已补发”；该印制流水码仍为“已打印”")
	}
	return from, e
}
