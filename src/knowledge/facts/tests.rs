use std::sync::Arc;

use jiff::civil::{Time, date, datetime};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::super::hours::{Holiday, HolidayDate, OpenSpan, time_of};
use super::super::numbers::{cardinal, clock, digits, phone};
use super::super::say::{HoursQuestion, say_hours};
use super::super::topic::sentences;
use super::super::{KnowledgeIndex, Recollection};
use super::*;

fn clinic() -> KnowledgeBase {
    KnowledgeBase::parse("clinic.toml", include_str!("../../../firmware-config/knowledge/clinic.toml")).unwrap()
}

fn known_clinic() -> Arc<KnownFacts> {
    static KNOWN: std::sync::OnceLock<Arc<KnownFacts>> = std::sync::OnceLock::new();
    Arc::clone(KNOWN.get_or_init(|| Arc::new(KnownFacts::new(&clinic()))))
}

fn bakery() -> KnowledgeBase {
    KnowledgeBase::parse("bakery.md", include_str!("../../../firmware-config/knowledge/bakery.md")).unwrap()
}

/// A Monday morning at ten in Lagos.
fn monday() -> ZonedDateTime {
    datetime(2026, 11, 23, 10, 0, 0, 0).to_zoned_datetime(TimeZone::get("Africa/Lagos").unwrap()).unwrap()
}

/// The first sentence of a reply that is not let through, and why.
fn held_back(base: &KnowledgeBase, now: &ZonedDateTime, question: &str, reply: &str) -> Option<(String, FactKind)> {
    let index = KnowledgeIndex::new(base.clone(), None);
    let found = index.find(question, &[], &Recollection::default(), now).finding;
    let mut allowed = Allowed::new(Arc::new(KnownFacts::new(base)), now, question, Some(&found));
    sentences(reply).into_iter().find_map(|sentence| match allowed.judge(sentence) {
        Judgement::Unknown(kind) => Some((sentence.to_owned(), kind)),
        Judgement::NoFact | Judgement::Known => None,
    })
}

/// Questions to the clinic with replies that say what its file says.
const AGREEING: &[(&str, &str)] = &[
    ("How much is a malaria test?", "A malaria test is ₦3,500, and the result is ready in thirty minutes."),
    ("How much is a malaria test?", "It costs three thousand five hundred naira. You get the result in half an hour."),
    ("How much is a malaria test?", "That is 3,500 naira."),
    ("How much is a malaria test?", "It is three thousand, five hundred naira, and it takes about 30 minutes."),
    ("What is the consultation fee?", "To see our family doctor you pay fifteen thousand naira."),
    ("What is the consultation fee?", "A consultation is ₦15k. If you come back within seven days, it is free."),
    ("What is the consultation fee?", "Fifteen thousand naira, and a follow-up within a week is free."),
    (
        "How much are your tests?",
        "The malaria test is ₦3,500, a scan is ₦10,000, and an eye test is five thousand naira.",
    ),
    ("How much is it to see a specialist?", "Seeing one of our specialists costs thirty thousand naira."),
    ("How much is antenatal registration?", "Registration is ₦50,000 for the whole pregnancy."),
    ("When is the antenatal clinic?", "The antenatal clinic is on Tuesdays and Thursdays at ten in the morning."),
    ("When is the antenatal clinic?", "It's every Tuesday and Thursday, at 10 a.m."),
    ("Which day is immunisation?", "We vaccinate every Wednesday from nine in the morning. For babies it is free."),
    ("Is there a paediatrician?", "Yes, Dr Amina Bello sees children from Monday to Thursday."),
    ("Is Dr Amina there on a Friday?", "No, our paediatrician is not here on Fridays, only from Monday to Thursday."),
    ("Until when does the laboratory take samples?", "The laboratory takes samples until four in the afternoon."),
    ("Until when does the laboratory take samples?", "You can bring a sample to the laboratory until 4 pm."),
    (
        "Do you do home visits?",
        "Yes, a doctor can come to you in Yaba, Surulere or Ebute Metta for forty thousand naira.",
    ),
    ("Do you do home visits?", "Yes, for ₦40,000. Please book it one day before."),
    ("How long do people without an appointment wait?", "Usually about forty minutes."),
    ("How long must I not eat before the test?", "Please do not eat for eight hours before a fasting sugar test."),
    ("Is there parking?", "Yes, there is free parking for ten cars behind the building."),
    ("What is your WhatsApp number?", "You can reach us on WhatsApp at 0803 555 0142."),
    ("What is your WhatsApp number?", "It is oh eight oh three, five five five, oh one four two."),
    ("What is your WhatsApp number?", "It's +234 803 555 0142."),
    ("Where are you located?", "We are at 14 Akinwunmi Street, off Herbert Macaulay Way, in Yaba."),
    ("Someone has collapsed, what do I do?", "Please call 112 right away."),
    ("Someone has collapsed, what do I do?", "Please call one one two now, or come straight in."),
    ("Can I get a sick note?", "Yes, a medical report is eight thousand naira, and it is ready the next working day."),
    (
        "What are your opening hours?",
        "We are open from eight in the morning to six in the evening on weekdays, and from nine to two on Saturdays. We are closed on Sundays.",
    ),
    ("What are your opening hours?", "Monday to Friday 8am to 6pm, Saturday 9am to 2pm, and closed on Sunday."),
    ("What are your opening hours?", "We open at eight from Monday to Friday and at nine on Saturday."),
    ("What are your opening hours?", "We're open every day except Sunday."),
    ("What are your opening hours?", "We are open from eight to six. Monday to Friday. Have a nice weekend!"),
    ("What are your opening hours?", "We are open from eight to six. That is Monday to Friday. See you on Saturday."),
    ("What are your opening hours?", "We are open from eight to six, Mondays as well as Fridays. Not on Sundays."),
    ("What are your opening hours?", "We open at eight on weekdays. It is not the same on Saturdays."),
    ("Are you open on Sunday?", "I am sorry. Only Monday to Saturday."),
    ("What time do you close today?", "We close at six. Today is Monday. And Sunday?"),
    ("Are you open now?", "Yes, we are open now, until six in the evening."),
    ("Are you open on Sunday?", "No, sorry, we are closed on Sundays. We open again on Monday at eight."),
    ("Are you open on Saturday?", "Yes. On Saturday we are open from nine in the morning until two in the afternoon."),
    ("What time do you close on Friday?", "On Friday we close at six in the evening."),
    ("What time do you close today?", "We close at six this evening."),
    ("What time do you close today?", "We don't close until six."),
    ("What time do you close today?", "We don't close at five but at six."),
    ("When do you open on Saturday?", "We don't open until nine on Saturday."),
    ("When do you open on Saturday?", "We don't open at eight but at nine on Saturday."),
    ("Can I come on Saturday at four?", "I am sorry, we are closed at four on Saturday."),
    ("When do you open tomorrow?", "We open at eight tomorrow morning."),
    (
        "Will you be open on Christmas?",
        "No, we are closed on Christmas Day, but on Christmas Eve we open from eight to one.",
    ),
    (
        "Are you open on the 25th of December?",
        "No, on Friday the twenty-fifth of December we are closed for Christmas.",
    ),
    (
        "Are you open on Independence Day?",
        "Yes, on the first of October we are open from nine in the morning to one in the afternoon.",
    ),
    ("Can I come tomorrow at nine?", "Yes, you can come tomorrow at nine in the morning."),
    ("Can I come on Sunday at ten?", "I am sorry, we are not open on Sunday. You could come on Monday from eight."),
    ("Can I come at seven in the evening?", "No, we are not open at seven in the evening. We close at six."),
    ("I have five children, can they all be treated?", "Yes, our paediatrician can see your five children."),
    ("Do you accept HMO?", "Yes, we work with Hygeia, Reliance and AXA Mansard. Please bring your card and an ID."),
    ("Do you have a dentist?", "No, we do not, but we can give you a letter to a dental clinic nearby."),
    ("Hello, I need some help", "Of course. Feel free to ask me anything."),
    ("Na how much for scan?", "Scan na ten thousand naira."),
    ("Una dey open for Saturday?", "Yes, we dey open for Saturday, from nine for morning to two for afternoon."),
];

/// The same for the bakery.
const BAKERY_AGREEING: &[(&str, &str)] = &[
    ("How much is a loaf?", "A small loaf is nine hundred naira, and a large one is one thousand six hundred."),
    ("How much is a loaf?", "The small loaf na ₦900, the large one na ₦1,600."),
    ("How much is a loaf?", "Bread is ₦900 for the small loaf and ₦1,600 for the large one."),
    (
        "I want a cake for a party",
        "A birthday cake for ten people is eighteen thousand naira, and please order two days ahead.",
    ),
    ("I want a cake for a party", "Please order the cake two days before you need it."),
    (
        "Do you deliver?",
        "Yes, we deliver within Surulere for fifteen hundred naira. If you buy for more than twenty thousand, delivery is free.",
    ),
    ("Do you deliver?", "Yes. Delivery is ₦1,500, and above ₦20,000 it is free."),
    ("Do you cater?", "Yes, a tray of small chops for twenty people is twenty-five thousand naira."),
    ("Do you open early?", "We open at seven in the morning every day except Sunday."),
    (
        "When do you close on Saturday?",
        "On Saturdays we close at one for lunch, open again at two and close at eight in the evening.",
    ),
    ("When do you close on Saturday?", "We close at eight in the evening on Saturday."),
    ("Are you open at half past one on Saturday?", "No, on Saturday we are closed from one to two in the afternoon."),
    (
        "Are you open on Christmas Eve?",
        "Yes, on the twenty-fourth of December we are open from six in the morning until ten at night.",
    ),
    ("Are you open on New Year?", "No, we are closed on New Year's Day."),
    ("Where are you?", "We are at twenty-seven Bode Thomas Street in Surulere, beside the big market."),
    ("Can I pay by card?", "Yes, you can pay by card, in cash or by transfer."),
    ("Who is the owner?", "The owner is Nkechi Obi. Shall I put you through to her?"),
    (
        "I want to order bread for forty people",
        "For forty people I would rather take a message, so that someone can call you back.",
    ),
    ("Can I come at six?", "Yes, we are open until seven in the evening, so six is fine."),
    ("Can I come now?", "Yes, please come, we are open now until seven in the evening."),
    ("What time is it now?", "It is ten in the morning."),
    ("What day is today?", "Today is Monday, the twenty-third of November."),
];

const BAKERY_CONTRADICTING: &[(&str, &str, FactKind)] = &[
    (
        "How much is a loaf?",
        "A small loaf is sixteen hundred naira and a large loaf is nine hundred and fifty naira.",
        FactKind::Price,
    ),
    ("How much is a loaf?", "A small loaf is one thousand naira.", FactKind::Price),
    ("I want a cake for a party", "A birthday cake for twelve people is eighteen thousand naira.", FactKind::Number),
    ("I want a cake for a party", "Please order the cake one day before.", FactKind::Duration),
    ("I want a cake for a party", "A cake is ₦25,000.", FactKind::Price),
    ("Do you deliver?", "Yes, delivery is free.", FactKind::Price),
    ("Do you deliver?", "Yes, delivery is two thousand naira.", FactKind::Price),
    ("Do you deliver?", "We deliver within two hours.", FactKind::Duration),
    ("Do you cater?", "A tray of small chops is eighteen thousand naira.", FactKind::Price),
    ("When do you close on Saturday?", "On Saturday we close at seven in the evening.", FactKind::Time),
    (
        "Are you open at half past one on Saturday?",
        "Yes, on Saturday at half past one we are open.",
        FactKind::Openness,
    ),
    ("Are you open on Christmas Eve?", "On Christmas Eve we close at one in the afternoon.", FactKind::Time),
    ("Are you open on New Year?", "On New Year's Day we open at ten.", FactKind::Time),
    ("Where are you?", "We are at seventy-two Bode Thomas Street.", FactKind::Number),
    ("Can I come at eight?", "Yes, we are open until nine at night.", FactKind::Time),
    ("Can I come on Sunday?", "Sunday is fine, we are open all day.", FactKind::Openness),
    ("What time is it now?", "It is three in the afternoon.", FactKind::Time),
    ("Do you have a discount?", "Yes, ten per cent on Mondays.", FactKind::Share),
    ("Can I pay later?", "Yes, within thirty days.", FactKind::Duration),
];

/// The same with replies that say something else, and what is wrong with them.
const CONTRADICTING: &[(&str, &str, FactKind)] = &[
    ("How much is a malaria test?", "A malaria test is ₦5,000.", FactKind::Price),
    ("How much is a malaria test?", "It costs three thousand naira.", FactKind::Price),
    ("How much is a malaria test?", "It is thirty-five thousand naira.", FactKind::Price),
    ("How much is a malaria test?", "The malaria test is fifteen thousand naira.", FactKind::Price),
    ("How much is a malaria test?", "It is free.", FactKind::Price),
    ("How much is a malaria test?", "It is $3,500.", FactKind::Price),
    ("How much is a malaria test?", "The test is ₦3,500 and the result is ready in two hours.", FactKind::Duration),
    ("How much is a malaria test?", "The result of the malaria test takes a week.", FactKind::Duration),
    ("Is the malaria test five thousand naira?", "Yes, it is five thousand naira.", FactKind::Price),
    (
        "Is the malaria test five thousand naira?",
        "Yes, it is five thousand naira, shall I take a message?",
        FactKind::Price,
    ),
    ("Is the malaria test five thousand naira?", "Yes, it is five thousand naira, okay?", FactKind::Price),
    ("Is the malaria test five thousand naira?", "It is five thousand naira, is that okay?", FactKind::Price),
    ("Is the malaria test five thousand naira?", "Of course, for five thousand naira?", FactKind::Price),
    ("Is the malaria test five thousand naira?", "Yes. Five thousand naira?", FactKind::Price),
    ("Is the malaria test five thousand naira?", "Shall I note it for five thousand naira?", FactKind::Price),
    (
        "Is the malaria result ready in two hours?",
        "The result of the malaria test is ready in two hours, okay?",
        FactKind::Duration,
    ),
    ("Is your WhatsApp number 0803 555 0143?", "It is 0803 555 0143, okay?", FactKind::Number),
    ("Is your WhatsApp number 0803 555 0143?", "Could you send it to our WhatsApp on 0803 555 0143?", FactKind::Number),
    ("Is the malaria test five thousand naira?", "You pay five thousand naira, okay?", FactKind::Price),
    ("Is the malaria test five thousand naira?", "Yes, you said five thousand naira, right?", FactKind::Price),
    ("What is the consultation fee?", "A consultation with our family doctor is ₦30,000.", FactKind::Price),
    ("What is the consultation fee?", "It is ₦15,000, with a discount of ten per cent for students.", FactKind::Share),
    (
        "What is the consultation fee?",
        "It is fifteen thousand naira, and a follow-up within fourteen days is free.",
        FactKind::Duration,
    ),
    ("What is the consultation fee?", "Fifteen thousand, five hundred naira.", FactKind::Price),
    ("How much are your tests?", "The malaria test is ₦10,000 and a scan is ₦3,500.", FactKind::Price),
    ("How much is a scan?", "A scan is ₦12,000.", FactKind::Price),
    ("How much is a scan?", "A scan costs ten thousand five hundred naira.", FactKind::Price),
    ("How much is it to see a specialist?", "A specialist is fifteen thousand naira.", FactKind::Price),
    ("How much is an eye test?", "Eye tests are ₦3,500.", FactKind::Price),
    (
        "When is the antenatal clinic?",
        "The antenatal clinic is on Mondays and Thursdays at ten in the morning.",
        FactKind::Day,
    ),
    ("When is the antenatal clinic?", "The antenatal clinic is on Tuesdays at eleven in the morning.", FactKind::Time),
    (
        "When is the antenatal clinic?",
        "Our antenatal clinic is on Tuesdays and Thursdays at half past ten.",
        FactKind::Time,
    ),
    ("Which day is immunisation?", "We vaccinate every Friday.", FactKind::Day),
    ("Is there a paediatrician?", "Yes, our paediatrician sees children from Monday to Friday.", FactKind::Day),
    ("Is Dr Amina there on Friday?", "Yes, the paediatrician is there on Friday.", FactKind::Day),
    (
        "Until when does the laboratory take samples?",
        "The laboratory takes samples until six in the evening.",
        FactKind::Time,
    ),
    ("Do you do home visits?", "A home visit is ₦40,000; please book two days before.", FactKind::Duration),
    (
        "How long do people without an appointment wait?",
        "Walk-in patients wait about twenty minutes.",
        FactKind::Duration,
    ),
    (
        "How long must I not eat before the test?",
        "Please do not eat for twelve hours before a fasting test.",
        FactKind::Duration,
    ),
    ("Is there parking?", "Yes, we have parking for fifty cars.", FactKind::Number),
    ("What is your WhatsApp number?", "Our WhatsApp number is 0803 555 0143.", FactKind::Number),
    ("What is your WhatsApp number?", "It is oh eight oh three, five five five, oh one oh two.", FactKind::Number),
    ("Where are you located?", "We are at 41 Akinwunmi Street in Yaba.", FactKind::Number),
    ("Where are you located?", "We are on the third floor.", FactKind::Number),
    ("Someone has collapsed, what do I do?", "Please call 911.", FactKind::Number),
    (
        "What are your opening hours?",
        "We are open from eight in the morning to eight in the evening on weekdays.",
        FactKind::Time,
    ),
    ("What are your opening hours?", "We are open Monday to Saturday from eight to six.", FactKind::Time),
    ("What are your opening hours?", "We are open from eight to six. Saturdays too.", FactKind::Day),
    ("What are your opening hours?", "We are open from eight to six. Every day of the week.", FactKind::Day),
    ("What are your opening hours?", "We are open from eight to six. That is from Monday to Saturday.", FactKind::Day),
    ("What are your opening hours?", "We are open from eight to six. It is the same on Saturdays.", FactKind::Day),
    ("What are your opening hours?", "We are open on weekdays. Thank you. And on Sundays as well.", FactKind::Day),
    (
        "What are your opening hours?",
        "We are open from eight to six, Monday to Friday as well as Saturdays.",
        FactKind::Time,
    ),
    ("On which days are you open?", "Monday to Sunday.", FactKind::Day),
    ("What are your opening hours?", "We are open every day.", FactKind::Openness),
    ("What are your opening hours?", "We are open twenty-four hours a day.", FactKind::Time),
    ("Are you open now?", "No, we are closed at the moment.", FactKind::Openness),
    ("Are you open now?", "Yes, we are open now, until five in the afternoon.", FactKind::Time),
    ("Are you open on Sunday?", "Yes, we are open on Sunday.", FactKind::Openness),
    ("Are you open on Sunday?", "Yes, we are.", FactKind::Openness),
    ("Are you open on Sunday?", "Let me see. Yes, we are.", FactKind::Openness),
    ("Are you open on Sunday?", "On Sunday we open at nine.", FactKind::Time),
    ("Are you open on Saturday?", "On Saturdays we are open from eight to six.", FactKind::Time),
    ("What time do you close on Friday?", "We close at two in the afternoon.", FactKind::Time),
    ("What time do you close on Friday?", "At half past six.", FactKind::Time),
    ("What time do you close today?", "We close at seven this evening.", FactKind::Time),
    ("What time do you close today?", "We don't close until ten tonight.", FactKind::Time),
    ("What time do you close today?", "We don't close until eight.", FactKind::Time),
    ("What time do you close today?", "We won't close before nine.", FactKind::Time),
    ("When do you open on Saturday?", "We don't open until ten on Saturday.", FactKind::Time),
    ("Can I come on Monday at ten?", "I am sorry, we are closed at ten on Monday.", FactKind::Time),
    ("Can I come at seven in the evening?", "We are not closed at seven in the evening.", FactKind::Time),
    ("When do you open tomorrow?", "We open at nine tomorrow morning.", FactKind::Time),
    ("Will you be open on Christmas?", "Yes, we are open on Christmas Day.", FactKind::Openness),
    (
        "Are you open on the 25th of December?",
        "On the twenty-fifth of December we are open from nine to one.",
        FactKind::Time,
    ),
    ("Are you open on Independence Day?", "On Independence Day we are open from nine to five.", FactKind::Time),
    ("Can I come on Sunday at ten?", "Yes, you can come on Sunday at ten.", FactKind::Openness),
    ("Can I come on Sunday?", "Of course, come on Sunday.", FactKind::Openness),
    (
        "Can I come tomorrow at seven in the evening?",
        "Yes, tomorrow at seven in the evening is fine.",
        FactKind::Openness,
    ),
    ("When is the operation?", "The operation is at three in the afternoon.", FactKind::Time),
    ("How many doctors do you have?", "We have twelve doctors.", FactKind::Number),
    ("When did you open your clinic?", "We were founded in twenty fifteen.", FactKind::Date),
    ("Can I get a sick note?", "A medical report is ten thousand naira.", FactKind::Price),
    ("Can I get a sick note?", "A fitness certificate is ₦8,000 and ready in three days.", FactKind::Duration),
    ("What is your address?", "We are at [address].", FactKind::Placeholder),
    ("How much is it?", "It costs ٣٥٠٠ naira.", FactKind::Number),
];

#[test]
fn replies_that_say_what_the_file_says_are_let_through() {
    let held = |base: KnowledgeBase, replies: &'static [(&'static str, &'static str)]| {
        let judged = replies.iter().map(move |(q, reply)| (reply, held_back(&base, &monday(), q, reply)));
        judged.filter_map(|(reply, held)| Some((reply, held?)))
    };
    let wrong: Vec<String> = held(clinic(), AGREEING)
        .chain(held(bakery(), BAKERY_AGREEING))
        .map(|(reply, (sentence, kind))| format!("{reply}\n    {kind:?}: {sentence}"))
        .collect();
    let all = AGREEING.len() + BAKERY_AGREEING.len();
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn replies_that_name_another_fact_are_held_back() {
    let mut wrong = Vec::new();
    for (base, replies) in [(clinic(), CONTRADICTING), (bakery(), BAKERY_CONTRADICTING)] {
        for (question, reply, expected) in replies {
            match held_back(&base, &monday(), question, reply) {
                Some((_, kind)) if kind == *expected => {}
                Some((sentence, kind)) => wrong.push(format!("{kind:?} instead of {expected:?}: {sentence}")),
                None => wrong.push(format!("let through: {reply}")),
            }
        }
    }
    let all = CONTRADICTING.len() + BAKERY_CONTRADICTING.len();
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_the_caller_said_may_be_asked_back_and_denied() {
    let question = "Is the malaria test five thousand naira?";
    for reply in [
        "Did you say five thousand naira?",
        "Do you mean five thousand naira?",
        "Sorry, did you say five thousand naira, sir?",
        "Please, do you mean five thousand naira for the malaria test?",
        "You said five thousand naira?",
        "No, it is not five thousand naira, okay?",
        "Sure, did you say five thousand naira?",
        "You said five thousand naira, right?",
        "When did you pay the five thousand naira?",
    ] {
        assert_eq!(held_back(&clinic(), &monday(), question, reply), None, "{reply}");
    }
    let question = "I want a birthday cake for twelve people.";
    for reply in [
        "You want a birthday cake for twelve people, is that right?",
        "So you want a birthday cake for twelve people?",
        "Sure, your birthday cake is for twelve people, correct?",
        "Shall I note a birthday cake for twelve people?",
    ] {
        assert_eq!(held_back(&bakery(), &monday(), question, reply), None, "{reply}");
    }
}

#[test]
fn a_question_at_the_end_of_a_text_asks_nothing_of_what_stands_before_it() {
    let mut allowed = Allowed::new(known_clinic(), &monday(), "Is the malaria test five thousand naira?", None);
    let text = "The malaria test is five thousand naira. Shall we call you back?";
    assert_eq!(allowed.judge(text), Judgement::Unknown(FactKind::Price));
}

#[test]
fn what_the_box_itself_would_say_is_let_through() {
    for base in [clinic(), bakery()] {
        for entry in &base.entries {
            for ask in &entry.ask {
                assert_eq!(held_back(&base, &monday(), ask, &entry.answer), None, "{ask}");
            }
        }
    }
}

#[test]
fn a_price_of_another_entry_is_held_back_whichever_two_they_are() {
    let base = clinic();
    let known = Arc::new(KnownFacts::new(&base));
    let priced: Vec<(&str, String)> = [
        ("A malaria test", "malaria-test"),
        ("Antenatal registration", "antenatal"),
        ("An ultrasound scan", "scan"),
        ("A home visit", "home-visit"),
        ("A medical report", "medical-report"),
        ("An eye test", "eye-test"),
    ]
    .into_iter()
    .map(|(name, id)| {
        let answer = &base.entries.iter().find(|e| e.id == id).unwrap().answer;
        let at = answer.find('₦').unwrap();
        (name, answer[at..].split([' ', '.']).next().unwrap().trim_end_matches(',').to_owned())
    })
    .collect();
    for (name, own) in &priced {
        for (_, price) in &priced {
            let mut allowed = Allowed::new(Arc::clone(&known), &monday(), "What are your prices?", None);
            let judged = allowed.judge(&format!("{name} costs {price}."));
            let expected = if own == price { Judgement::Known } else { Judgement::Unknown(FactKind::Price) };
            assert_eq!(judged, expected, "{name} costs {price}");
        }
    }
}

#[test]
fn a_tools_answer_may_be_named_once_it_is_there() {
    let base = clinic();
    let mut allowed = Allowed::new(Arc::new(KnownFacts::new(&base)), &monday(), "Do you have a slot?", None);
    let sentence = "Your booking number is four seven one one.";
    assert_eq!(allowed.judge(sentence), Judgement::Unknown(FactKind::Number));
    allowed.tool_said("Booking number 4711.");
    assert_eq!(allowed.judge(sentence), Judgement::Known);
}

/// The children's entry tells days, and "work" is a word of it.
#[test]
fn a_holiday_that_was_looked_up_may_be_said_to_be_shut_whatever_it_was_asked_for() {
    let judged = |told: &str, sentence: &str| {
        let question = "Do you work when it is the birthday of Jesus?";
        let mut allowed = Allowed::new(known_clinic(), &monday(), question, None);
        allowed.tool_said(told);
        allowed.judge(sentence)
    };
    let christmas = "No, we are closed on Friday the twenty-fifth of December for Christmas Day; we open again on \
                     Monday the twenty-eighth of December at eight in the morning.";
    let independence = "Yes, on Independence Day we are open from nine in the morning to one in the afternoon.";
    for sentence in ["We are closed on Christmas Day.", "On Christmas we are closed.", "We don't open on Christmas."] {
        assert_eq!(judged(christmas, sentence), Judgement::Known, "{sentence}");
    }
    for (told, sentence) in [
        (christmas, "We are open on Christmas Day."),
        (christmas, "We are closed on Christmas Eve."),
        (christmas, "The children's doctor works on Christmas Day."),
        (independence, "We are closed on Independence Day."),
    ] {
        assert_eq!(judged(told, sentence), Judgement::Unknown(FactKind::Day), "{sentence}");
    }
}

#[test]
fn without_stated_hours_no_hours_are_claimed() {
    let base = KnowledgeBase::parse("shop.toml", "business = \"Ade's\"\n").unwrap();
    for reply in ["We are open from eight to six.", "We are open on Sunday.", "We close at six in the evening."] {
        assert!(held_back(&base, &monday(), "When do you open?", reply).is_some(), "{reply}");
    }
}

#[test]
fn a_name_with_a_day_in_it_is_no_day() {
    let reply = "Sunday Ojo takes the orders.";
    assert_eq!(held_back(&bakery(), &monday(), "Who takes orders?", reply), None);
}

#[test]
fn facts_are_read_however_they_are_said() {
    let facts = |text: &str| read(text, &[], &[]).facts();
    let naira = |n: u64| Fact::Money { thousandths: n * 1000, currency: "naira" };
    for text in ["₦15,000", "N15,000", "NGN15000", "15,000 naira", "₦15k", "fifteen thousand naira", "₦ 15,000"] {
        assert_eq!(facts(text), [naira(15_000)], "{text}");
    }
    assert_eq!(facts("₦2,500.50"), [Fact::Money { thousandths: 2_500_500, currency: "naira" }]);
    assert_eq!(facts("two million, three hundred and fifty thousand, four hundred naira"), [naira(2_350_400)]);
    assert_eq!(facts("one and a half million naira"), [naira(1_500_000)]);
    assert_eq!(facts("fifteen hundred naira"), [naira(1_500)]);
    let time = |hour: u16, minute: u16| Fact::Time { minute: hour * 60 + minute, half: Half::Known };
    for text in ["2:30 pm", "14:30", "half past two in the afternoon", "two thirty in the afternoon", "2.30pm"] {
        assert_eq!(facts(text), [time(14, 30)], "{text}");
    }
    for text in ["9 AM", "nine in the morning", "nine o'clock in the morning", "09:00"] {
        assert_eq!(facts(text), [time(9, 0)], "{text}");
    }
    assert_eq!(facts("quarter to five in the evening"), [time(16, 45)]);
    assert_eq!(facts("at twelve noon").last(), Some(&time(12, 0)));
    assert_eq!(facts("at six"), [Fact::Time { minute: 360, half: Half::Either }]);
    assert_eq!(facts("25 December"), [Fact::Date { month: 12, day: 25 }]);
    assert_eq!(facts("the 3rd of March 2027").first(), Some(&Fact::Date { month: 3, day: 3 }));
    assert_eq!(facts("twenty twenty-seven"), [Fact::Year(2027)]);
    assert_eq!(facts("10%"), [Fact::PerCent { thousandths: 10_000 }]);
    assert_eq!(facts("2.5 per cent"), [Fact::PerCent { thousandths: 2_500 }]);
    for text in ["0803 555 0142", "0803-555-0142", "oh eight oh three, double five five, oh one four two"] {
        assert_eq!(facts(text), [Fact::Digits("08035550142".to_owned())], "{text}");
    }
    for text in ["half an hour", "30 minutes", "thirty mins"] {
        assert_eq!(facts(text), [Fact::Minutes(30)], "{text}");
    }
    for text in [
        "this one",
        "one of our doctors",
        "I may come",
        "feel free to ask",
        "we are close to the market",
        "o my friend",
        "Second, we",
    ] {
        assert_eq!(facts(text), [], "{text}");
    }
}

#[test]
fn a_word_that_begins_a_fact_holds_the_clause_back() {
    for text in ["it is ₦", "15", "fifteen", "on Mondays", "we close", "tomorrow", "half", "FREE", "in December", "২"]
    {
        assert!(could_name_a_fact(text), "{text}");
    }
    for text in ["Yes, we do", "Our laboratory does blood tests", "Please bring your card", ""] {
        assert!(!could_name_a_fact(text), "{text}");
    }
}

fn spans() -> impl Strategy<Value = Vec<OpenSpan>> {
    let half_hours = prop::collection::btree_set(2u16..47, 0..=4);
    half_hours.prop_map(|edges| {
        let edges: Vec<u16> = edges.into_iter().collect();
        edges.chunks_exact(2).map(|pair| OpenSpan { opens: pair[0] * 30, closes: pair[1] * 30 }).collect()
    })
}

prop_compose! {
    fn businesses()(week in prop::array::uniform7(spans()), eve in spans()) -> KnowledgeBase {
        let mut base = KnowledgeBase::parse("shop.toml", "business = \"Ade's\"\n").unwrap();
        let holiday = |name: &str, day, spans| Holiday {
            name: name.to_owned(),
            also: vec![],
            date: HolidayDate::Yearly { month: 12, day },
            spans,
        };
        let holidays = vec![holiday("Christmas Day", 25, vec![]), holiday("Christmas Eve", 24, eve)];
        base.hours = OpeningHours::new(TimeZone::UTC, week, holidays);
        base
    }
}

proptest! {
    /// The box's own sentences about its hours are true by the guard, too, which
    /// reads them without knowing what they were made from.
    #[test]
    fn the_boxs_own_sentences_about_hours_are_borne_out(
        base in businesses(), day in 0i64..26, minute in 0i64..1440,
        kind in 0usize..5, words in prop::sample::select(vec!["", "on saturday", "tomorrow", "on sunday", "today", "on 25th december", "on monday at nine", "christmas eve"]),
    ) {
        let now = date(2026, 11, 23).at(0, 0, 0, 0) + jiff::Span::new().days(day).minutes(minute);
        let kind = [HoursQuestion::Open, HoursQuestion::Opens, HoursQuestion::Closes, HoursQuestion::Week, HoursQuestion::Holidays][kind];
        let when = super::super::when::understand(&tokens(words), now, &base.hours).when;
        let said = say_hours(&base.hours, kind, when, now);
        let verb = match kind { HoursQuestion::Opens => "When do you open", HoursQuestion::Closes => "When do you close", _ => "Are you open" };
        let zoned = now.to_zoned_datetime(TimeZone::UTC).unwrap();
        let mut allowed = Allowed::new(Arc::new(KnownFacts::new(&base)), &zoned, &format!("{verb} {words}?"), None);
        for sentence in sentences(&said) {
            let judged = allowed.judge(sentence);
            prop_assert!(!matches!(judged, Judgement::Unknown(_)), "{judged:?} at {now}: {sentence}");
        }
    }

    /// A closing time that is not the business's is never let through.
    #[test]
    fn a_wrong_closing_time_is_held_back(base in businesses(), day in 0i8..7, half_hour in 0u16..48) {
        let weekday = jiff::civil::Weekday::from_monday_zero_offset(day).unwrap();
        let minute = half_hour * 30;
        let right = base.hours.regular(weekday).iter().any(|s| s.closes == minute);
        let sentence = format!("On {}s we close at {}.", super::super::numbers::weekday_name(weekday), clock(time_of(minute)));
        let mut allowed = Allowed::new(Arc::new(KnownFacts::new(&base)), &monday(), "When do you close?", None);
        let judged = allowed.judge(&sentence);
        prop_assert_eq!(!matches!(judged, Judgement::Unknown(_)), right, "{}", sentence);
    }

    /// A number is the same fact in figures and in words.
    #[test]
    fn figures_and_words_are_one_fact(n in 2u64..10_000_000) {
        let facts = |text: &str| read(text, &[], &[]).facts();
        let naira = vec![Fact::Money { thousandths: n * 1000, currency: "naira" }];
        prop_assert_eq!(facts(&format!("{} naira", cardinal(n))), naira.as_slice());
        prop_assert_eq!(facts(&format!("₦{n}")), naira);
    }

    #[test]
    fn every_time_of_day_is_read_as_it_is_said(hour in 0i8..24, minute in 0i8..60) {
        let facts = read(&format!("We close at {}.", clock(Time::new(hour, minute, 0, 0).unwrap())), &[], &[]).facts();
        let wanted = Fact::Time { minute: u16::from(hour.unsigned_abs()) * 60 + u16::from(minute.unsigned_abs()), half: Half::Known };
        prop_assert_eq!(facts, vec![wanted]);
    }

    #[test]
    fn a_telephone_number_is_read_as_it_is_said(number in "0[789][01][0-9]{8}") {
        let wanted = vec![Fact::Digits(number.clone())];
        prop_assert_eq!(read(&phone(&number), &[], &[]).facts(), wanted.as_slice());
        prop_assert_eq!(read(&digits(&number), &[], &[]).facts(), wanted);
    }

    /// Whatever is thrown at it: it answers, and a sentence of words alone passes.
    #[test]
    fn no_sentence_makes_the_guard_panic(sentence in "\\PC{0,200}", question in "\\PC{0,60}") {
        let mut allowed = Allowed::new(known_clinic(), &monday(), &question, None);
        for _ in 0..2 {
            allowed.judge(&sentence);
            allowed.tool_said(&sentence);
        }
    }

    #[test]
    fn a_price_that_is_not_in_the_file_is_never_let_through(n in 1u64..2_000_000, subject in prop::sample::select(vec!["It", "A scan", "The malaria test", "A loaf of bread", "That"])) {
        let known = [15_000, 30_000, 3_500, 50_000, 5_000, 10_000, 40_000, 8_000];
        prop_assume!(!known.contains(&n));
        let short = format!("N{n}");
        // These two are masks.
        let short = (!["N95", "N99"].contains(&short.as_str())).then_some(short);
        for price in [format!("₦{n}"), format!("{} naira", cardinal(n))].into_iter().chain(short) {
            let mut allowed = Allowed::new(known_clinic(), &monday(), "How much is it?", None);
            let judged = allowed.judge(&format!("{subject} costs {price}."));
            prop_assert_eq!(judged, Judgement::Unknown(FactKind::Price), "{}", price);
        }
    }

    /// A fact in a sentence stands behind a word that holds the sentence back.
    #[test]
    fn whatever_names_a_fact_is_held_back_from_its_first_word(words in prop::collection::vec(prop::sample::select(vec![
        "we", "are", "open", "closed", "at", "on", "eight", "monday", "sundays", "to", "half", "past", "two", "naira", "fifteen",
        "thousand", "₦500", "10%", "free", "an", "hour", "december", "the", "25th", "come", "tomorrow", "it", "costs", "a", "week", "in",
        "oh", "double", "five", "noon", "o'clock", "public", "holidays", "christmas", "day", "daily", "all", "weekend", "round", "clock",
    ]), 1..12)) {
        let sentence = words.join(" ");
        let reading = read(&sentence, &[], &[]);
        if reading.items.iter().any(|i| matches!(i.said, Said::Fact(_))) {
            prop_assert!(could_name_a_fact(&sentence), "{sentence}: {:?}", reading.facts());
        }
    }
}
