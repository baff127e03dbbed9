#[derive(clap::Args)]
pub struct CallArgs {}
pub fn call(_args: &CallArgs) -> Result<(), crate::Failure> {
    Err(crate::Failure::no("x"))
}
