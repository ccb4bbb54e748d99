//! What stands around the app, so that a connection knows which of its requests is where.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_http::{ConnectionType, HttpMessage, Payload, Request, Response};
use actix_service::Service;
use actix_web::{
    ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    error::PayloadError,
    web::Bytes,
};
use futures_util::Stream;

use super::connection::Connection;
use crate::problem::{Kind, Problem};

enum Turn<F> {
    App(F),
    Refused(Kind),
}

/// Calls the app with a request, unless the connection takes no more.
pub(super) fn call<S, B>(
    mut request: Request,
    app: &S,
) -> impl Future<Output = Result<Response<Leaving>, Response<BoxBody>>> + use<S, B>
where
    S: Service<Request, Error = Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let connection = request.conn_data::<Rc<Connection>>().cloned();
    let turn = connection.and_then(|connection| {
        let payload = request.take_payload();
        let number = connection.begin(!matches!(payload, Payload::None))?;
        if octets(&request) > connection.limits().header_octets {
            connection.close();
            return Some((connection, Turn::Refused(Kind::HeaderTooLarge)));
        }
        if connection.limits().may_take_long(request.method().as_str(), request.path()) {
            connection.comes_long();
        }
        *request.payload() = arriving(payload, number, &connection);
        Some((connection, Turn::App(app.call(request))))
    });
    async move {
        let Some((connection, turn)) = turn else { return pending().await };
        let answer = match turn {
            Turn::Refused(kind) => Problem::from(kind).error_response().into(),
            Turn::App(answer) => match pin!(answer).await {
                Ok(answer) => answer.into().map_into_boxed_body(),
                Err(answer) => answer,
            },
        };
        Ok(leaving(answer, connection))
    }
}

fn octets(request: &Request) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let line = request.method().as_str().len() + path;
    let fields = request.headers().iter();
    line + fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

fn arriving(payload: Payload, number: u32, connection: &Rc<Connection>) -> Payload {
    match payload {
        Payload::None => Payload::None,
        payload => Payload::Stream {
            payload: Box::pin(Arriving { payload, number, connection: Rc::clone(connection) }),
        },
    }
}

struct Arriving {
    payload: Payload,
    number: u32,
    connection: Rc<Connection>,
}

impl Stream for Arriving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.payload).poll_next(context));
        match &next {
            Some(Ok(part)) => self.connection.body_comes(self.number, part.len()),
            Some(Err(_)) => {}
            None => self.connection.body_here(self.number),
        }
        Poll::Ready(next)
    }
}

fn leaving(mut answer: Response<BoxBody>, connection: Rc<Connection>) -> Response<Leaving> {
    if connection.answer() {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    answer.map_body(|_, body| {
        if body.size() == BodySize::Stream {
            connection.goes_long();
        }
        Leaving { body, connection }
    })
}

/// The body of an answer; it is dropped when all of it stands in the buffer.
pub(super) struct Leaving {
    body: BoxBody,
    connection: Rc<Connection>,
}

impl MessageBody for Leaving {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = ready!(Pin::new(&mut self.body).poll_next(context));
        if let Some(Ok(part)) = &next {
            self.connection.answer_goes(part.len());
        }
        Poll::Ready(next)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.connection.answered();
    }
}
