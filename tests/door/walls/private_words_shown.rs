//! What a request holds is not read off by accident.

use milu::egress::HttpRequest;

pub fn wrong(request: &HttpRequest) -> &str {
    request.target.as_str() //~ E0599
}

fn main() {}
