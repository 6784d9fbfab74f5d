//! A map that forgets: it holds at least the last so many entries, and never more than twice that.

use std::{collections::HashMap, hash::Hash, mem};

/// Two generations. What is found in the old one is carried over to the new one; when the new one is
/// full it becomes the old one, and what nobody asked for meanwhile is gone.
pub(crate) struct Bounded<K, V> {
    generation: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Bounded<K, V> {
    pub(crate) fn new(generation: usize) -> Self {
        Bounded { generation, young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.put(key, value.clone());
        Some(value)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut map = Bounded::new(2);
        for n in 0..100 {
            map.put(n, n);
            assert_eq!(map.get(&0), Some(0), "after {n}");
            assert!(map.young.len() + map.old.len() <= 4);
        }
        assert_eq!(map.get(&1), None);
    }
}
