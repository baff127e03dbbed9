#[derive(clap::Args)]
pub struct KnowledgeArgs {}
pub fn knowledge(_args: &KnowledgeArgs) -> Result<(), crate::Failure> { Err(crate::Failure::no("x")) }
