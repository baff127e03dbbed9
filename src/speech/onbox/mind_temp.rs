use std::sync::Arc;
use super::{Embedder, Pool};
use crate::knowledge::KnowledgeBase;
use crate::speech::*;
pub struct KnowledgeMind;
impl KnowledgeMind { pub fn new(_b: KnowledgeBase, _e: Arc<Embedder>, _p: Arc<Pool>, _n: super::MomentSource) -> Self { Self } }
impl Responder for KnowledgeMind { fn name(&self) -> &'static str { "knowledge-onbox" } fn open(&self, answers: tokio::sync::mpsc::Sender<MindEvent>) -> Box<dyn Thinking> { Box::new(T(answers)) } }
struct T(tokio::sync::mpsc::Sender<MindEvent>);
impl Thinking for T { fn ask(&mut self, request: crate::terms::RequestId, _w: &crate::terms::Private<String>, _now: &jiff::ZonedDateTime) { drop(self.0.try_send(MindEvent::Found { request, finding: crate::knowledge::Finding::Unknown, took: std::time::Duration::ZERO })); } fn abandon(&mut self) {} }
