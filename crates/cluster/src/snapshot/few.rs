//! A list that seldom has more than one item, such as the pods that had an address: 16 bytes, and no other memory for
//! one item.

use std::ops::Deref;

#[derive(Clone, Debug, Default)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Several(Box<Several<T>>),
}

#[derive(Clone, Debug)]
pub(crate) struct Several<T>(Vec<T>);

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(several) => &several.0,
        }
    }
}

impl<T> Few<T> {
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        let items = match self {
            Self::None => &mut [],
            Self::One(only) => std::slice::from_mut(only),
            Self::Several(several) => several.0.as_mut_slice(),
        };
        items.iter_mut()
    }

    pub(crate) fn push(&mut self, item: T) {
        let mut items = std::mem::take(self).into_vec();
        items.push(item);
        *self = items.into();
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        let mut items = std::mem::take(self).into_vec();
        items.retain(keep);
        *self = items.into();
    }

    /// Takes out the item at a place; none is there: nothing happens.
    pub(crate) fn remove(&mut self, place: usize) {
        let mut at = 0..;
        self.retain(|_| at.next() != Some(place));
    }

    pub(crate) fn sort_by(&mut self, order: impl FnMut(&T, &T) -> std::cmp::Ordering) {
        if let Self::Several(several) = self {
            several.0.sort_by(order);
        }
    }

    fn into_vec(self) -> Vec<T> {
        match self {
            Self::None => Vec::new(),
            Self::One(only) => vec![only],
            Self::Several(several) => several.0,
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        if items.len() > 1 {
            return Self::Several(Box::new(Several(items)));
        }
        items.into_iter().next().map_or(Self::None, Self::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_and_go_in_order() {
        let mut few = Few::default();
        assert!(few.is_empty());
        for item in [3, 1, 2] {
            few.push(item);
        }
        few.remove(7);
        few.sort_by(Ord::cmp);
        assert_eq!(*few, [1, 2, 3]);
        few.remove(1);
        few.iter_mut().for_each(|item| *item *= 10);
        assert_eq!(*few, [10, 30]);
        few.retain(|item| *item > 10);
        assert!(matches!(few, Few::One(30)));
        few.retain(|_| false);
        assert!(few.is_empty());
    }

    #[test]
    fn one_item_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Few<std::sync::Arc<u8>>>(), 16);
    }
}
