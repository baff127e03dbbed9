#[derive(Clone, Debug)]
pub struct MenuItem { pub key: char, pub label: String, pub question: String }
pub fn name_in(w: &str) -> Option<String> { w.split_whitespace().last().map(str::to_owned) }
pub fn digits_in(w: &str) -> String { w.chars().filter(char::is_ascii_digit).collect() }
pub fn last_digits_spoken(n: &str) -> String { n[n.len().saturating_sub(4)..].to_owned() }
pub fn phone_number_spoken(n: &str) -> String { n.to_owned() }
impl super::KnowledgeBase { pub fn menu(&self) -> Vec<MenuItem> { vec![] } pub fn respellings(&self) -> Vec<(String,String)> { vec![] } }
