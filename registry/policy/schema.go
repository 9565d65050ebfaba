package policy

import (
	"encoding/json"
	"slices"

	"bajigong/standards"
)

// SchemaID is the identifier of the schema of policy files.
const SchemaID = "urn:bajigong:policy:schema:2"

// Schema returns the JSON Schema (2020-12) of a policy file in its YAML form, of
// both languages, for editors and other tools. It is made from the tables that
// [Parse] uses. It refuses nothing that Parse takes as these documents write it;
// what it cannot say (ids that are used twice, dates in the wrong order, words of
// a declared group, anchors) only Parse refuses.
func Schema() []byte {
	b, err := json.MarshalIndent(schemaOf(), "", "  ")
	if err != nil { // maps of strings and numbers always marshal
		return nil
	}
	return append(b, '\n')
}

type js = map[string]any

func ref(name string) js { return js{"$ref": "#/$defs/" + name} }

func words[W ~string](ws ...W) js {
	all := make([]any, 0, len(ws))
	for _, w := range ws {
		all = append(all, string(w))
	}
	return js{"enum": all}
}

func listOf(items js) js { return js{"type": "array", "minItems": 1, "items": items} }

func setOf(items js) js {
	return js{"type": "array", "minItems": 1, "uniqueItems": true, "items": items}
}

func whole(low, high int) js { return js{"type": "integer", "minimum": low, "maximum": high} }

func constant(v any) js { return js{"const": v} }

// object is a mapping with these members and no others.
func object(required []string, members js) js {
	return js{"type": "object", "additionalProperties": false, "required": required, "properties": members}
}

// ruled is a rule: its heading and its own members. That a quote is a secondary
// one is said in language 2 only; [unquoted] takes it away.
func ruled(required []string, members js) js {
	all := js{"quoted": constant("secondary"), "id": ref("rule_id"), "clause": ref("text"), "quote": ref("text"), "zh": ref("text"), "en": ref("text")}
	for k, v := range members {
		all[k] = v
	}
	return object(slices.Concat(ruleKeys, required), all)
}

// with adds conditions to a schema.
func with(s js, conditions ...js) js {
	s["allOf"] = conditions
	return s
}

// oneHas asks for exactly one of the members.
func oneHas(members ...string) js {
	var some []any
	for _, m := range members {
		some = append(some, js{"required": []string{m}})
	}
	return js{"oneOf": some}
}

func anyHas(members ...string) js {
	var some []any
	for _, m := range members {
		some = append(some, js{"required": []string{m}})
	}
	return js{"anyOf": some}
}

func member(name string, s js) js {
	return js{"type": "object", "properties": js{name: s}, "required": []string{name}}
}

func no(members ...string) js {
	p := js{}
	for _, m := range members {
		p[m] = false
	}
	return js{"properties": p}
}

func when(condition, then js) js { return js{"if": condition, "then": then} }

func whenElse(condition, then, otherwise js) js {
	return js{"if": condition, "then": then, "else": otherwise}
}

// orWord is a section that may say one of the words instead.
func orWord(s js, ws ...string) js { return js{"anyOf": []any{words(ws...), s}} }

func schemaOf() js {
	return js{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     SchemaID,
		"title":   "Subsidy policy 补贴政策",
		"type":    "object",
		"if":      member("language", constant(2)),
		"then":    ref("language_2"),
		"else":    ref("language_1"),
		"$defs":   definitions(),
	}
}

func definitions() js {
	return js{
		"language_1": schemaLanguage(1), "language_2": schemaLanguage(2),
		"text":        js{"anyOf": []any{js{"type": "string", "pattern": `\S`, "maxLength": maxText}, js{"type": []string{"number", "boolean"}}}},
		"both":        object([]string{"zh", "en"}, js{"zh": ref("text"), "en": ref("text")}),
		"date":        js{"type": "string", "pattern": `^(19|2[01])\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`},
		"region":      js{"anyOf": []any{js{"type": "string", "pattern": `^\d{6}$`}, whole(100000, 999999)}},
		"rule_id":     js{"type": "string", "pattern": ruleIDForm.String(), "maxLength": 64},
		"policy_id":   js{"type": "string", "pattern": policyIDForm.String(), "maxLength": 64},
		"code":        js{"type": "string", "pattern": codeForm.String()},
		"edition":     js{"type": "string", "pattern": editionForm.String()},
		"class":       js{"type": "string", "pattern": classForm.String()},
		"yuan":        js{"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000, "multipleOf": json.Number("0.01")},
		"level":       words(levelCodes()...),
		"funds":       orWord(setOf(words(sortedKeys(funds)...)), "any"),
		"levels":      listOf(object([]string{"level", "yuan"}, js{"level": ref("level"), "yuan": ref("yuan")})),
		"flag":        js{"enum": []any{Yes, No, true, false}},
		"truth":       js{"enum": []any{true, false}},
		"quoted":      when(js{"type": "object"}, js{"required": []string{"quote"}}),
		"occupations": listOf(object([]string{"code", "name"}, js{"code": ref("code"), "name": ref("text"), "trades": listOf(ref("text"))})),
	}
}

func levelCodes() []string {
	var out []string
	for _, l := range standards.Levels() {
		out = append(out, l.Code())
	}
	return out
}

// schemaLanguage is the whole file of one language.
func schemaLanguage(language int) js {
	yes := ref("truth")
	if language == 2 {
		yes = ref("flag")
	}
	members := js{
		"id": ref("policy_id"), "version": whole(1, 9999), "region": ref("region"), "parent": orWord(ref("region"), "none"),
		"fund": words(sortedKeys(funds)...), "name": ref("both"), "sample": yes, "note": ref("both"),
		"document":  object([]string{"number", "title", "issuer", "dated"}, js{"number": ref("text"), "title": ref("text"), "issuer": ref("text"), "dated": ref("date")}),
		"effective": schemaEffective(), "decided_by": words(ByReceipt, ByIssue), "certificate": ruled(nil, nil),
		"kinds":   ruled([]string{"allowed"}, js{"allowed": setOf(words(sortedKeys(kinds)...))}),
		"amounts": ruled([]string{"levels"}, js{"levels": ref("levels")}),
		"once":    with(schemaExclusion(SameOccupation, SameLevel, SameTrade), member("same", js{"contains": constant("occupation")})),
		"reuse":   schemaExclusion(SameCertificate),
		"unknown": orWord(listOf(object([]string{"field", "zh", "en"}, js{"field": ref("text"), "zh": ref("text"), "en": ref("text"), "taken_as": ref("text")})), "none"),
	}
	sections := map[string]js{
		"facts": listOf(schemaFact(language)), "modes": with(ruled(nil, js{"allowed": setOf(words(sortedKeys(modes)...)), "excluded": setOf(words(sortedKeys(modes)...))}), oneHas("allowed", "excluded")),
		"institutions":          ruled([]string{"classes"}, js{"classes": listOf(ref("class"))}),
		"places":                ruled([]string{"kinds", "region"}, js{"kinds": setOf(words(sortedKeys(kinds)...)), "region": ref("region")}),
		"window":                ruled([]string{"months"}, js{"months": whole(1, 600)}),
		"scarce":                ruled([]string{"uplift_percent", "list"}, js{"uplift_percent": whole(1, 200), "list": orWord(schemaScarceList(1), "unknown")}),
		"excludes":              listOf(schemaExclusion(SameOccupation, SameLevel, SameTrade)),
		"higher_excludes_lower": schemaHigher(language), "frequency": schemaFrequency(language),
		"refund": ruled([]string{"restores_right"}, js{"restores_right": yes}),
	}
	required, keys := requiredKeys, sectionKeys
	conditions := []js{schemaQuoted(language)}
	if language == 2 {
		required, keys = requiredKeys2, sectionKeys2
		schemaTwo(members, sections)
		conditions = append(conditions, schemaTogether()...)
	}
	for k, s := range sections {
		members[k] = orWord(s, "none", "unknown")
	}
	for _, k := range keys {
		conditions = append(conditions, when(member(k, constant("unknown")),
			member("unknown", js{"contains": member("field", constant(k)), "type": "array"})))
	}
	out := with(object(required, members), conditions...)
	if language == 1 {
		unquoted(out)
	}
	return out
}

// unquoted takes the member quoted away from every rule.
func unquoted(s any) {
	switch s := s.(type) {
	case js:
		if p, ok := s["properties"].(js); ok {
			delete(p, "quoted")
		}
		for _, v := range s {
			unquoted(v)
		}
	case []any:
		for _, v := range s {
			unquoted(v)
		}
	case []js:
		for _, v := range s {
			unquoted(v)
		}
	}
}

// schemaTwo puts what language 2 has in the place of language 1's.
func schemaTwo(members js, sections map[string]js) {
	members["language"] = constant(2)
	members["decided_by"] = words(ByReceipt, ByIssue, ByApplication)
	members["document"] = object([]string{"number", "title", "issuer", "dated"}, js{"number": ref("text"), "title": ref("text"), "issuer": ref("text"), "dated": orWord(ref("date"), "unknown")})
	members["money"] = words(sortedKeys(moneys)...)
	members["framework"] = ref("flag")
	members["under"] = orWord(listOf(object([]string{"policy"}, js{"policy": ref("policy_id"), "exceptions": listOf(
		object([]string{"bound", "document", "zh", "en"}, js{"bound": ref("rule_id"), "document": ref("text"), "zh": ref("text"), "en": ref("text")}))})), "none")
	for _, k := range []string{"certificate", "kinds", "reuse"} {
		sections[k] = members[k].(js)
	}
	anySame := []Sameness{SameOccupation, SameLevel, SameTrade, SameSubject, SamePeriod, SameCourse}
	sections["once"] = with(schemaExclusion(anySame...), member("same", js{"contains": words(SameOccupation, SameSubject, SameCourse)}))
	sections["excludes"] = listOf(schemaExclusion(append(anySame, SamePerson)...))
	sections["subject"] = ruled([]string{"kind", "certificate"}, js{"kind": words(ForPreJob, ForWorkMonths, ForApprentice, ForGraduate, ForStudy, ForTrainingOnly),
		"most_units": whole(1, 99), "certificate": words("none", "required")})
	sections["groups"] = with(ruled(nil, js{"any_of": setOf(ref("rule_id")), "none_of": setOf(ref("rule_id")),
		"declares": listOf(object([]string{"code", "zh", "en"}, js{"code": ref("rule_id"), "zh": ref("text"), "en": ref("text")}))}), anyHas("any_of", "none_of"))
	sections["ages"] = with(ruled([]string{"at"}, js{"at": words(AtReceipt, AtIssue, AtApplication), "min": whole(1, 120), "max_male": whole(1, 120),
		"max_female": whole(1, 120)}), anyHas("min", "max_male", "max_female"))
	sections["institutions"] = with(ruled(nil, js{"classes": listOf(ref("class")), "conditions": setOf(words(sortedKeys(conditionFacts)...)), "for_classes": listOf(ref("class"))}),
		anyHas("classes", "conditions"), when(js{"required": []string{"for_classes"}}, js{"required": []string{"conditions"}}))
	sections["supervision"] = ruled([]string{"scope", "from"}, js{"scope": setOf(words(ScopeTraining, ScopeEvaluation)), "from": ref("date"), "kinds": setOf(words(sortedKeys(kinds)...))})
	sections["queryable"] = ruled([]string{"any_of", "since"}, js{"any_of": setOf(words("national", "provincial")), "since": words("receipt")})
	sections["window"] = with(ruled(nil, js{"months": whole(1, 600), "days": whole(1, 9999), "not_before_days": whole(1, 999), "same_year": js{"enum": []any{Yes, true}}, "from": words("issue")}),
		anyHas("months", "days", "not_before_days", "same_year"), js{"not": js{"required": []string{"months", "days"}}})
	schemaMoney(sections)
	sections["bounds"] = listOf(schemaBound())
}

func schemaMoney(sections map[string]js) {
	sections["catalogue"] = with(ruled(nil, js{"list": words("unknown"), "name": ref("text"), "year": whole(1949, 2199), "sample": ref("flag"),
		"edition": ref("edition"), "across_editions": ref("flag"),
		"entries": listOf(object([]string{"occupation", "name"}, js{"occupation": ref("code"), "name": ref("text"), "trades": listOf(ref("text")),
			"levels": js{"type": "object", "propertyNames": ref("level"), "additionalProperties": ref("yuan")}}))}),
		whenElse(js{"required": []string{"list"}}, no("name", "year", "sample", "entries", "edition", "across_editions"), js{"required": []string{"name", "sample", "entries"}}))
	sections["amounts"] = orWord(with(ruled(nil, js{"levels": ref("levels"), "flat_yuan": ref("yuan"), "mean": words("exact", "at_most"), "per": words("claim", "unit")}),
		oneHas("levels", "flat_yuan")), "catalogue")
	sections["cost_cap"] = ruled(nil, nil)
	sections["scarce"] = with(ruled(nil, js{"raises_approved": ref("flag"), "uplift_percent": whole(1, 200), "list": orWord(schemaScarceList(2), "unknown"),
		"lists": listOf(schemaScarceList(2)), "levels": setOf(ref("level")), "back_pay": words(BackPayNone, BackPayCovered, BackPayUnknown)}),
		oneHas("list", "lists"), whenElse(js{"required": []string{"lists"}}, js{"required": []string{"back_pay"}}, no("back_pay")))
	sections["amount_for_scarce_always"] = ruled([]string{"uplift_percent"}, js{"uplift_percent": whole(1, 200)})
	sections["beneficiary"] = ruled([]string{"pay_to"}, js{"pay_to": words(sortedKeys(payees)...)})
	sections["prepayment"] = ruled([]string{"percent"}, js{"percent": whole(1, 100), "for": setOf(words(PayPerson, PayEnterprise, PayInstitution))})
	sections["channel"] = ruled([]string{"system_only"}, js{"system_only": ref("flag")})
}

func schemaEffective() js {
	return with(ruled([]string{"from", "until"}, js{"from": ref("date"), "until": orWord(ref("date"), "open", "unknown"), "stated_through": ref("date"), "goes_first": ref("flag")}),
		whenElse(member("until", constant("unknown")), js{"required": []string{"stated_through"}}, no("stated_through", "goes_first")))
}

func schemaExclusion(parts ...Sameness) js {
	return ruled([]string{"group", "funds", "same"}, js{"group": ref("rule_id"), "funds": ref("funds"), "same": setOf(words(parts...))})
}

func schemaHigher(language int) js {
	members := js{"by": words(HigherPaid, HigherHeld), "group": ref("rule_id"), "funds": ref("funds"),
		"same": js{"type": "array", "minItems": 1, "uniqueItems": true, "items": words(SameOccupation, SameTrade), "contains": constant("occupation")}}
	if language == 2 {
		members["by"], members["order"] = words(HigherPaid, HigherHeld, HigherNone), words("submission", "issue")
	}
	return ruled([]string{"by", "group", "funds", "same"}, members)
}

func schemaFrequency(language int) js {
	members := js{"max": whole(1, 99), "per": words(PerNaturalYear, PerLifetime), "counter": ref("rule_id"), "funds": ref("funds"), "in_principle": ref("truth")}
	required := []string{"max", "per", "counter", "funds", "in_principle"}
	if language == 1 {
		return ruled(required, members)
	}
	members["per"], members["in_principle"], members["months"] = words(PerNaturalYear, PerLifetime, PerRolling), ref("flag"), whole(1, 120)
	members["extra"] = object([]string{"for", "max", "order"}, js{"for": words("scarce"), "max": whole(1, 99), "order": words("base_first", "extra_first")})
	return with(ruled(required, members), whenElse(member("per", constant("rolling")), js{"required": []string{"months"}}, no("months")))
}

func schemaScarceList(language int) js {
	members := js{"name": ref("text"), "sample": ref("truth"), "from": ref("date"), "until": orWord(ref("date"), "open"), "occupations": ref("occupations")}
	if language == 2 {
		members["sample"], members["published"] = ref("flag"), ref("date")
		members["edition"], members["across_editions"] = ref("edition"), ref("flag")
	}
	return object([]string{"name", "sample", "from", "until", "occupations"}, members)
}

// schemaFact is a fact rule: what it must say goes with the kind of fact.
func schemaFact(language int) js {
	var all, counts []FactKind
	for _, k := range sortedKeys(factForms) {
		if f := factForms[k]; !f.asked && f.since <= language {
			if all = append(all, k); f.as == asCount {
				counts = append(counts, k)
			}
		}
	}
	members := js{"fact": words(all...), "want": true, "at_least": whole(1, 999)}
	measured := js{"required": []string{"at_least"}, "properties": js{"want": false}}
	if language == 2 {
		members["at_most"], members["at"] = whole(1, 999), words(AtReceipt, AtApplication, AtIssue, AtIssueMonth)
		measured = js{"anyOf": []any{js{"required": []string{"at_least"}}, js{"required": []string{"at_most"}}}, "properties": js{"want": false}}
	}
	said := func(ws ...string) js {
		return js{"required": []string{"want"}, "properties": js{"want": words(ws...), "at_least": false, "at_most": false}}
	}
	conditions := []js{whenElse(member("fact", words(counts...)), measured, whenElse(member("fact", constant(string(FundedBy))), said(factForms[FundedBy].words...), said(Yes, No)))}
	if language == 1 {
		return with(ruled([]string{"fact"}, members), conditions...)
	}
	alone := js{}
	for k, v := range members {
		alone[k] = v
	}
	members["or"] = listOf(with(object([]string{"fact"}, alone), conditions...))
	return with(ruled([]string{"fact"}, members), conditions...)
}

func schemaBound() js {
	byForm := map[boundForm][]string{}
	for _, f := range BoundFields() {
		form, _ := boundKind(f)
		byForm[form] = append(byForm[form], f)
	}
	of := func(form boundForm) js { return member("field", words(byForm[form]...)) }
	valued := whenElse(of(boundNumber), member("value", whole(0, 9999)),
		whenElse(of(boundYuan), member("value", ref("yuan")),
			whenElse(of(boundSet), member("value", listOf(ref("text"))),
				whenElse(of(boundWord), js{"required": []string{"value"}, "properties": js{"value": ref("text"), "may": constant("equal")}},
					js{"not": js{}}))))
	return with(ruled([]string{"field", "may"}, js{"field": words(BoundFields()...), "may": words(MayAtMost, MayAtLeast, MayEqual, MayFree), "value": true,
		"funds": ref("funds"), "in_principle": ref("flag")}),
		whenElse(member("may", constant("free")), no("value"), valued))
}

// schemaTogether is what sections of language 2 say about each other.
func schemaTogether() []js {
	none := js{}
	for _, k := range certificateSections {
		none[k] = constant("none")
	}
	none["decided_by"] = words(ByReceipt, ByApplication)
	object := js{"type": "object"}
	without := member("subject", js{"type": "object", "properties": js{"certificate": constant("none")}, "required": []string{"certificate"}})
	framework := member("framework", js{"enum": []any{Yes, true}})
	return []js{
		when(framework, member("bounds", js{"type": "array"})),
		whenElse(without, js{"properties": none}, when(js{"not": framework}, js{"properties": js{"certificate": object}})),
		when(js{"not": framework}, js{"properties": js{"amounts": js{"not": constant("none")}}}),
		js{"not": js{"properties": js{"scarce": object, "amount_for_scarce_always": object}, "required": []string{"scarce", "amount_for_scarce_always"}}},
		when(member("amounts", constant("catalogue")), member("catalogue", js{"type": "object", "properties": js{"entries": js{"items": js{"required": []string{"levels"}}}}})),
		when(member("scarce", member("raises_approved", js{"enum": []any{Yes, true}})), js{"properties": js{"amounts": constant("unknown"), "scarce": js{"required": []string{"uplift_percent"}}}}),
		when(member("prepayment", js{"type": "object", "required": []string{"for"}}), member("beneficiary", object)),
		when(member("frequency", js{"type": "object", "required": []string{"extra"}}), member("scarce", object)),
		when(member("subject", js{"enum": []any{"none", "unknown"}}), js{"properties": js{
			"excludes": js{"anyOf": []any{js{"not": js{"type": "array"}}, js{"items": js{"properties": js{"same": js{"items": words(SameOccupation, SameLevel, SameTrade, SamePerson)}}}}}},
			"once": js{"anyOf": []any{js{"not": object},
				member("same", js{"contains": constant("occupation"), "items": words(SameOccupation, SameLevel, SameTrade)})}}}}),
	}
}

// schemaQuoted asks for quotes in policies that are no samples.
func schemaQuoted(language int) js {
	p := js{}
	list := js{"if": js{"type": "array"}, "then": js{"items": ref("quoted")}}
	for _, k := range []string{"effective", "certificate", "kinds", "modes", "institutions", "places", "window", "amounts", "scarce", "once", "reuse",
		"higher_excludes_lower", "frequency", "refund"} {
		p[k] = ref("quoted")
	}
	p["facts"], p["excludes"] = list, list
	if language == 2 {
		for _, k := range []string{"subject", "groups", "ages", "supervision", "queryable", "catalogue", "cost_cap", "amount_for_scarce_always", "beneficiary", "prepayment", "channel"} {
			p[k] = ref("quoted")
		}
		p["bounds"] = list
	}
	return whenElse(member("sample", js{"enum": []any{Yes, true}}), js{}, js{"properties": p})
}
