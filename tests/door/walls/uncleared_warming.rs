//! Even a greeting needs a leave.

pub async fn wrong(door: &milu::egress::Door, warming: milu::egress::Warming) {
    drop(door.warm(None, warming).await); //~ E0308
}

fn main() {}
