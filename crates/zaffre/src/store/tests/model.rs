//! One transaction against an ordered map: whatever is stored and whatever it wrote itself, it reads what a map
//! would. (Many transactions against each other are `isolation`'s.)

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use crate::store::{Span, Store, StoreError, Table, Txn};

use super::{CLOUD, begin};

const ROWS: Table<(String, u32), u32> = Table::new("rows");

type Model = BTreeMap<(String, u32), u32>;

fn keys() -> impl Strategy<Value = (String, u32)> {
    ("[ab\0]{0,2}", 0_u32..4)
}

/// Changes: a value to put, or none to delete.
fn changes() -> impl Strategy<Value = Vec<((String, u32), Option<u32>)>> {
    vec((keys(), proptest::option::of(any::<u32>())), 0..20)
}

fn change(txn: &mut Txn, changes: &[((String, u32), Option<u32>)]) -> Result<(), StoreError> {
    changes.iter().try_for_each(|(key, value)| match value {
        Some(value) => ROWS.put(txn, key, value),
        None => ROWS.delete(txn, key),
    })
}

fn change_model(model: &mut Model, changes: &[((String, u32), Option<u32>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(key.clone(), *value),
            None => model.remove(key),
        };
    }
}

#[derive(Clone, Debug)]
enum Question {
    Get((String, u32)),
    Under(String, Option<(String, u32)>, usize),
    Text(String, Option<(String, u32)>, usize),
    Between((String, u32), (String, u32)),
}

fn questions() -> impl Strategy<Value = Question> {
    let after = || proptest::option::of(keys());
    prop_oneof![
        keys().prop_map(Question::Get),
        ("[ab\0]{0,2}", after(), 0_usize..6)
            .prop_map(|(text, after, limit)| Question::Under(text, after, limit)),
        ("[ab\0]{0,1}", after(), 0_usize..6)
            .prop_map(|(text, after, limit)| Question::Text(text, after, limit)),
        (keys(), keys()).prop_map(|(from, before)| Question::Between(from, before)),
    ]
}

type Answer = Vec<((String, u32), u32)>;

fn ask(txn: &Txn, question: &Question) -> Result<Answer, StoreError> {
    match question {
        Question::Get(key) => Ok(ROWS.get(txn, key)?.map(|value| (key.clone(), value)).into_iter().collect()),
        Question::Under(text, after, limit) => ROWS.scan(txn, &(text.as_str(),), after.as_ref(), *limit),
        Question::Text(text, after, limit) => ROWS.scan_text_prefix(txn, &(), text, after.as_ref(), *limit),
        Question::Between(from, before) => {
            let span = || Span::under(&()).from(from).before(before);
            let mut back = ROWS.rows_back(txn, span()).collect::<Result<Answer, _>>()?;
            back.reverse();
            let rows = ROWS.rows(txn, span()).collect::<Result<Answer, _>>()?;
            assert_eq!(rows, back, "one way and the other");
            Ok(rows)
        }
    }
}

fn answer(model: &Model, question: &Question) -> Answer {
    let page = |holds: &dyn Fn(&(String, u32)) -> bool, after: &Option<(String, u32)>, limit| {
        let is_behind = |key: &(String, u32)| after.as_ref().is_none_or(|after| key > after);
        let rows = model.iter().filter(|(key, _)| holds(key) && is_behind(key));
        rows.map(|(key, value)| (key.clone(), *value)).take(limit).collect()
    };
    match question {
        Question::Get(key) => page(&|it| it == key, &None, 1),
        Question::Under(text, after, limit) => page(&|(it, _)| it == text, after, *limit),
        Question::Text(text, after, limit) => page(&|(it, _)| it.starts_with(text), after, *limit),
        Question::Between(from, before) => page(&|it| it >= from && it < before, &None, usize::MAX),
    }
}

proptest! {
    #[test]
    fn a_transaction_reads_what_a_map_would(
        stored in changes(),
        own in changes(),
        questions in vec(questions(), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let store = Store::in_memory();
        runtime.block_on(store.write(CLOUD, |txn| change(txn, &stored))).expect("commits");
        let mut txn = begin(&store);
        change(&mut txn, &own).expect("changes");
        let mut model = Model::new();
        change_model(&mut model, &stored);
        change_model(&mut model, &own);
        for question in questions {
            prop_assert_eq!(ask(&txn, &question).expect("reads"), answer(&model, &question), "{:?}", question);
        }
    }
}
