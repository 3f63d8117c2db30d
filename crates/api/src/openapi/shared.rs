//! What all operations have in common and no handler says: the media type of errors, the answers
//! that the layers around the handlers give, and the header that makes a write repeatable.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use crate::problem::PROBLEM_JSON;

const PROBLEM: &str = "#/components/schemas/Problem";

/// Adds it all to every operation.
pub(super) fn add(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let client = path.starts_with("/v1/feed");
        let ids = path.contains('{');
        if let Some(read) = &mut item.get {
            complete(read, client, ids, false);
        }
        let writes = [&mut item.post, &mut item.put, &mut item.delete];
        for write in writes.into_iter().flatten() {
            complete(write, client, ids, !client);
        }
    }
}

fn complete(operation: &mut Operation, client: bool, ids: bool, repeatable: bool) {
    let body = operation.request_body.is_some();
    let answers = [
        (true, "400", "Malformed: what cannot be read"),
        (true, "401", "The credentials are missing or not valid"),
        (!client, "403", "The API key lacks the scope"),
        (ids, "404", "No such object in this workspace"),
        (body, "408", "The body took too long to arrive"),
        (repeatable, "409", "A request with this key is in flight"),
        (body, "413", "The body is too large"),
        (body, "415", "The body is not application/json"),
        (
            body || repeatable,
            "422",
            "Invalid, or the key was used for another request",
        ),
        (true, "429", "Too many requests; see Retry-After"),
        (
            true,
            "503",
            "Too much to do, or no database; see Retry-After",
        ),
    ];
    let responses = &mut operation.responses.responses;
    for (given, status, description) in answers {
        if given {
            let answer = responses
                .entry(status.to_owned())
                .or_insert_with(|| RefOr::T(problem(description)));
            if let (RefOr::T(answer), "429" | "503") = (answer, status) {
                let header = HeaderBuilder::new()
                    .schema(Some(of(Type::Integer)))
                    .description(Some("Seconds, with jitter"))
                    .build();
                answer
                    .headers
                    .insert("Retry-After".to_owned(), RefOr::T(header));
            }
        }
    }
    for (status, response) in responses {
        if let (b'4' | b'5', RefOr::T(response)) = (status.as_bytes()[0], response) {
            response.content = problem("").content;
        }
    }
    if repeatable {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A repeat with the same key within 24 hours gets the first answer, marked \
                 `Idempotency-Replayed: true`, and has no second effect.",
            ))
            .schema(Some(
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .min_length(Some(1))
                    .max_length(Some(255))
                    .pattern(Some("^[ -~]+$")),
            ));
        operation
            .parameters
            .get_or_insert_default()
            .push(RefOr::T(key.build()));
    }
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::new(PROBLEM)))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, content)
        .build()
}

fn of(kind: Type) -> utoipa::openapi::schema::Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(kind))
        .build()
}
