//! Just enough of ONNX to write a graph: the protocol-buffers encoding of the
//! messages in onnx.proto3 (IR version 8, operator set 17), field numbers as
//! published there. It writes and never reads.

/// Operator set 17 is the first with `LayerNormalization`.
const OPERATOR_SET: u64 = 17;
/// The IR version that came with that operator set.
const IR_VERSION: u64 = 8;

/// `TensorProto.DataType`.
#[derive(Clone, Copy)]
enum DataType {
    Float = 1,
    Int8 = 3,
    Int64 = 7,
}

/// `AttributeProto.AttributeType`.
#[derive(Clone, Copy)]
enum AttributeType {
    Float = 1,
    Int = 2,
    Ints = 7,
}

/// One attribute of an operator.
#[derive(Clone, Copy)]
pub enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [i64]),
}

/// One dimension of an input or output.
#[derive(Clone, Copy)]
pub enum Size<'a> {
    Fixed(usize),
    Any(&'a str),
}

/// The number of a value in `Cast`'s `to`.
pub const TO_FLOAT: Attribute<'static> = Attribute::Int(DataType::Float as i64);

/// A protocol-buffers message being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    /// Field `number` of wire type 0.
    fn number(&mut self, number: u64, value: u64) {
        self.varint(number << 3);
        self.varint(value);
    }

    /// A signed field as protocol buffers' plain `int64`: two's complement.
    fn signed(&mut self, number: u64, value: i64) {
        self.number(number, value.cast_unsigned());
    }

    /// Field `number` of wire type 2: text, bytes or another message.
    fn bytes(&mut self, number: u64, value: &[u8]) {
        self.varint(number << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Field `number` of wire type 5.
    fn float(&mut self, number: u64, value: f32) {
        self.varint(number << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}

/// A graph being written. Values are named by the caller; a name is made once.
#[derive(Default)]
pub struct Graph {
    nodes: Message,
    initializers: Message,
    inputs: Message,
    outputs: Message,
}

impl Graph {
    /// Adds an operator and returns the name of its output.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        let mut node = Message::default();
        for input in inputs {
            node.bytes(1, input.as_bytes());
        }
        node.bytes(2, output.as_bytes());
        node.bytes(3, output.as_bytes()); // The node's name: that of its one output.
        node.bytes(4, operator.as_bytes());
        for (name, value) in attributes {
            node.bytes(5, &attribute(name, *value).0);
        }
        self.nodes.bytes(1, &node.0);
        output.to_owned()
    }

    /// Adds constant float32 numbers, given as little-endian bytes.
    pub fn floats(&mut self, name: &str, shape: &[usize], little_endian: &[u8]) {
        self.initializer(name, shape, DataType::Float, little_endian);
    }

    pub fn int8s(&mut self, name: &str, shape: &[usize], values: &[i8]) {
        let bytes: Vec<u8> = values.iter().map(|v| v.cast_unsigned()).collect();
        self.initializer(name, shape, DataType::Int8, &bytes);
    }

    /// Adds a constant vector of int64 numbers: shapes, axes, bounds.
    pub fn int64s(&mut self, name: &str, values: &[i64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(name, &[values.len()], DataType::Int64, &bytes);
    }

    fn initializer(&mut self, name: &str, shape: &[usize], number_type: DataType, bytes: &[u8]) {
        let mut tensor = Message::default();
        for size in shape {
            tensor.number(1, *size as u64);
        }
        tensor.number(2, number_type as u64);
        tensor.bytes(8, name.as_bytes());
        tensor.bytes(9, bytes);
        self.initializers.bytes(5, &tensor.0);
    }

    /// Declares an int64 input; sizes that are not fixed have names.
    pub fn input_int64s(&mut self, name: &str, shape: &[Size<'_>]) {
        self.inputs.bytes(11, &value_info(name, DataType::Int64, shape).0);
    }

    pub fn output_floats(&mut self, name: &str, shape: &[Size<'_>]) {
        self.outputs.bytes(12, &value_info(name, DataType::Float, shape).0);
    }

    /// The whole file.
    pub fn finish(self, name: &str) -> Vec<u8> {
        let mut graph = self.nodes;
        graph.bytes(2, name.as_bytes());
        graph.0.extend(self.initializers.0);
        graph.0.extend(self.inputs.0);
        graph.0.extend(self.outputs.0);
        let mut operator_set = Message::default();
        operator_set.bytes(1, b""); // The standard domain.
        operator_set.number(2, OPERATOR_SET);
        let mut model = Message::default();
        model.number(1, IR_VERSION);
        model.bytes(2, b"milu");
        model.bytes(7, &graph.0);
        model.bytes(8, &operator_set.0);
        model.0
    }
}

fn attribute(name: &str, value: Attribute<'_>) -> Message {
    let mut attribute = Message::default();
    attribute.bytes(1, name.as_bytes());
    let value_type = match value {
        Attribute::Float(value) => {
            attribute.float(2, value);
            AttributeType::Float
        }
        Attribute::Int(value) => {
            attribute.signed(3, value);
            AttributeType::Int
        }
        Attribute::Ints(values) => {
            values.iter().for_each(|value| attribute.signed(8, *value));
            AttributeType::Ints
        }
    };
    attribute.number(20, value_type as u64);
    attribute
}

/// `ValueInfoProto` of a tensor: name, element type, dimensions.
fn value_info(name: &str, element: DataType, sizes: &[Size<'_>]) -> Message {
    let mut shape = Message::default();
    for size in sizes {
        let mut dimension = Message::default();
        match size {
            Size::Fixed(size) => dimension.number(1, *size as u64),
            Size::Any(name) => dimension.bytes(2, name.as_bytes()),
        }
        shape.bytes(1, &dimension.0);
    }
    let mut tensor = Message::default();
    tensor.number(1, element as u64);
    tensor.bytes(2, &shape.0);
    let mut value_type = Message::default();
    value_type.bytes(1, &tensor.0);
    let mut info = Message::default();
    info.bytes(1, name.as_bytes());
    info.bytes(2, &value_type.0);
    info
}

#[cfg(test)]
mod tests {
    use rten::Model;
    use rten_tensor::NdTensor;
    use rten_tensor::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_the_encoding_guide_shows() {
        // Protocol buffers' encoding guide: field 1 = 150, field 2 = "testing".
        let mut message = Message::default();
        message.number(1, 150);
        message.bytes(2, b"testing");
        assert_eq!(message.0, *b"\x08\x96\x01\x12\x07testing");
        // ... and -2 as ten bytes of two's complement.
        let mut negative = Message::default();
        negative.signed(1, -2);
        assert_eq!(negative.0, b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    }

    #[test]
    fn a_written_graph_is_loaded_and_computes() {
        let mut graph = Graph::default();
        graph.input_int64s("ids", &[Size::Any("length")]);
        graph.int8s("table", &[3, 2], &[1, -2, 3, 4, 5, 6]);
        let rows = graph.node("Gather", &["table", "ids"], "rows", &[("axis", Attribute::Int(0))]);
        let rows = graph.node("Cast", &[&rows], "floats", &[("to", TO_FLOAT)]);
        let axes = [("axes", Attribute::Ints(&[0])), ("keepdims", Attribute::Int(0))];
        graph.node("ReduceMean", &[&rows], "mean", &axes);
        graph.output_floats("mean", &[Size::Fixed(2)]);
        let model = Model::load(graph.finish("test")).unwrap();
        let ids = NdTensor::from([0_i32, 2]);
        let mean = model.run_one(ids.view().into(), None).unwrap();
        let mean: NdTensor<f32, 1> = mean.try_into().unwrap();
        assert_eq!(mean.to_vec(), [3.0, 2.0]);
    }
}
