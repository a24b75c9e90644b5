//! Names that are also folders.

/// What follows the last dot.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A name without what file systems do not take, or take for another folder: `/ \ .. < > : " | ? *` and
/// control characters. Nothing may be left of a name.
pub fn sanitised(name: &str) -> String {
    let mut flat: String = name
        .chars()
        .filter(|c| !matches!(c, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*') && !c.is_control())
        .collect();
    while flat.contains("..") {
        flat = flat.replace("..", "");
    }
    if flat == "." { String::new() } else { flat }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_what_would_lead_elsewhere() {
        assert_eq!(sanitised("../../etc/x"), "etcx");
        assert_eq!(sanitised("qps:100"), "qps100");
        assert_eq!(sanitised("a...b"), "a.b");
        assert_eq!(sanitised("a.:.b"), "ab");
        assert_eq!(sanitised("."), "");
    }

    proptest! {
        #[test]
        fn a_name_is_one_plain_file_name(name in ".*") {
            let name = sanitised(&name);
            prop_assert!(!name.contains('/') && !name.contains("..") && name != ".");
            prop_assert!(!name.contains('\0'));
        }
    }
}
