//! A request that nobody has cleared.

pub async fn wrong(door: &milu::egress::Door, request: milu::egress::HttpRequest) {
    drop(door.request(None, request).await); //~ E0308
}

fn main() {}
