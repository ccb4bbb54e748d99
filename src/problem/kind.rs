//! The catalogue of problems: what can be told, with its status and its words.

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $name:ident $status:literal $slug:literal $title:literal;)*) => {
        /// Every type of problem that the service tells of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[doc = $meaning])+ $name),* }

        impl Kind {
            /// All of them, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The last part of its `type`, stable for ever.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),* }
            }

            /// The status that it is told with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// The same words whenever it happens.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What it means and what to do about it, for an integrator.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii()),* }
            }
        }
    };
}

kinds! {
    /// The record was merged into another of the same child: `Location` says where that is. Repeat the request there, and keep the new number.
    RecordMerged 308 "record-merged" "The record is part of another";
    /// The body is not JSON that can be read in one way only: a syntax error, a member given twice, nesting over
    /// 32 levels, or bytes that are not UTF-8. `errors` points to the place.
    MalformedJson 400 "malformed-json" "The body cannot be read";
    /// A header is missing its proper form; `detail` names it.
    InvalidHeader 400 "invalid-header" "A header has the wrong form";
    /// Every call about a child states why in `Access-Reason`, one of the codes of `GET /v1/code-lists`.
    ReasonRequired 400 "reason-required" "State a reason";
    /// Looking past a shield states your own reference in `Access-Reference`.
    ReferenceRequired 400 "reference-required" "State a reference";
    /// A creating request carries an `Idempotency-Key` of 8 to 64 printable ASCII characters of your choice, so that
    /// it can be repeated safely.
    IdempotencyKeyRequired 400 "idempotency-key-required" "Give an idempotency key";
    /// The body of a batch broke off, holds no row, or cannot be read to its end in the form that it is said to have. Nothing of
    /// it is kept.
    BatchUnreadable 400 "batch-unreadable" "The batch cannot be read";
    /// A query parameter has the wrong form; `detail` names it.
    InvalidQuery 400 "invalid-query" "A query parameter has the wrong form";
    /// There is no valid access token: none was sent, it ended, or what it stands on has been withdrawn. Sign in again.
    Unauthenticated 401 "unauthenticated" "Not signed in";
    /// The access token is bound to a key (RFC 9449), and no good proof of that key came with it: one `DPoP` header, made
    /// for this method and address and for this token, within the last minute, and never sent before.
    DpopProofRefused 401 "dpop-proof-refused" "The proof of the key is not good";
    /// User name, password, PIN and one-time code are judged together, and which of them was wrong is never told.
    SignInFailed 401 "sign-in-failed" "Sign-in failed";
    /// This needs a sign-in within the last 5 minutes (RFC 9470): sign in again, and repeat the request with the new token.
    StepUpRequired 401 "step-up-required" "Sign in again for this";
    /// Your role, or your organisation's relation to the record, does not permit this. `policy` says which roles may, and which
    /// records they reach; `GET /v1/policies` tells all.
    Forbidden 403 "forbidden" "Not permitted";
    /// The ID token is good, but neither `amr` nor `acr` proves two factors. Have the issuer ask for them, and sign in again.
    SecondFactorRequired 403 "second-factor-required" "Prove two factors to the issuer";
    /// The invitation is unknown, used or ended, or a second administrator has not yet approved it.
    InvitationRefused 403 "invitation-refused" "The invitation cannot be used";
    /// There is nothing here that you may see.
    NotFound 404 "not-found" "Not found";
    /// The resource exists, but not with this method; `Allow` lists those it has.
    MethodNotAllowed 405 "method-not-allowed" "Method not allowed";
    /// The request was not received whole within its time.
    RequestTimeout 408 "request-timeout" "The request took too long to arrive";
    /// There are children like this one already: `candidates` says whom, and how they are alike. Look at them first; if none is
    /// this child, name them all in `distinctFrom`.
    PossibleDuplicate 409 "possible-duplicate" "This child may be here already";
    /// A fuzzy search names in `searchId` the exact search that you made by the same criteria within the last 10 minutes, and
    /// that found nobody. Make that first.
    ExactSearchFirst 409 "exact-search-first" "Search exactly first";
    /// The address has not answered a ping yet, so nothing is sent there and nothing can be paused.
    SubscriptionUnconfirmed 409 "subscription-unconfirmed" "The address is not confirmed yet";
    /// The organisation has 10 subscriptions, and no more are made.
    TooManySubscriptions 409 "too-many-subscriptions" "There are enough subscriptions";
    /// The event is still to be sent, or may not be told any more.
    DeliveryNotReplayable 409 "delivery-not-replayable" "The event cannot be sent again";
    /// What changed after the place in `after` is kept no longer. Read again what you follow, and begin without `after`.
    ChangesForgotten 410 "changes-forgotten" "Too long ago";
    /// It has been decided already whether the two records are of one child.
    PossibleDuplicateDecided 409 "possible-duplicate-decided" "It is decided already";
    /// A merge of these two records waits to be approved already.
    MergeProposed 409 "merge-proposed" "A merge has been proposed already";
    /// The merge does not wait for this: it is decided, or nobody has proposed that it be taken back.
    MergeStatus 409 "merge-status" "The merge does not stand so";
    /// One of the records was merged into a third since: take that merge back first.
    MergeCovered 409 "merge-covered" "A later merge stands above this one";
    /// Somebody who decides on shields has said that the two records are of two persons.
    SaidToBeOthers 409 "said-to-be-others" "They are said to be two persons";
    /// Another child holds this identifier.
    IdentifierHeld 409 "identifier-held" "The identifier belongs to another child";
    /// The organisation already works with this child in this service.
    InvolvementExists 409 "involvement-exists" "The involvement is recorded already";
    /// An involvement that has ended takes no flags and no changes.
    InvolvementEnded 409 "involvement-ended" "The involvement has ended";
    /// Nobody else is told of a sensitive service, so no flag stands on it.
    SensitiveService 409 "sensitive-service" "A sensitive service has no flags";
    /// The consent was withdrawn before.
    ConsentWithdrawn 409 "consent-withdrawn" "The consent is withdrawn already";
    /// The request to be put in touch was accepted or has ended.
    ContactRequestEnded 409 "contact-request-ended" "The request for contact has ended";
    /// The request to be put in touch has been forwarded and waits for an answer.
    ContactRequestForwarded 409 "contact-request-forwarded" "The request for contact is forwarded already";
    /// A child has one lead professional; the other must step down first.
    LeadProfessionalExists 409 "lead-professional-exists" "There is a lead professional already";
    /// The record is offered to an authority already, and that offer waits for an answer.
    TransferOpen 409 "transfer-open" "The record is offered already";
    /// The offer does not wait for this any more: it was answered, or taken back.
    TransferEnded 409 "transfer-ended" "The offer no longer stands so";
    /// The child is shielded, and whether this can be done would tell what the shield hides. Ask to be put in touch instead.
    Shielded 409 "shielded" "The child is shielded";
    /// Another organisation holds this code.
    CodeHeld 409 "code-held" "The code belongs to another organisation";
    /// What a feed sends counts once its last batch on trial held at least 20 rows, of which at least 95 % were of a child of the index or
    /// made a new record, without a steward and without being rejected.
    FeedNotReady 409 "feed-not-ready" "The feed is not ready to count";
    /// It has been decided already which child the row is of, or its source has said something else since.
    ReviewTaskDecided 409 "review-task-decided" "It is decided already";
    /// What was sent cannot be taken so; `errors` say why.
    RowNotTaken 409 "row-not-taken" "The row cannot be taken";
    /// Another feed of the organisation has this name.
    FeedNameHeld 409 "feed-name-held" "The organisation has a feed of this name";
    /// Another account has this user name.
    UserNameHeld 409 "user-name-held" "The user name is taken";
    /// The identity is linked to another account; each is linked to one.
    IdentityHeld 409 "identity-held" "The identity belongs to another account";
    /// The account is closed, for ever.
    AccountClosed 409 "account-closed" "The account is closed";
    /// The client is closed, for ever.
    ClientClosed 409 "client-closed" "The client is closed";
    /// The client proves itself by a key and has no secret.
    ClientHasKeys 409 "client-has-keys" "The client has no secret";
    /// The invitation has been approved, used or has ended.
    InvitationEnded 409 "invitation-ended" "The invitation can no longer be approved";
    /// The request for access has been decided or has expired; or nobody waits to enrol by it.
    AccessRequestEnded 409 "access-request-ended" "The request can no longer be decided";
    /// The request was done before with this idempotency key, and what was answered then is told no more, since a shield may
    /// hide some of it now, or the record is told no more. Open what it made, where that is still there.
    AnswerForgotten 409 "answer-forgotten" "What was answered is told no more";
    /// The account is about this record already, or it is a child's and about another.
    SubjectExists 409 "subject-exists" "The account is about a record already";
    /// An information request goes through its steps in their order: who asks is proven, its source may be asked, it may be extended once
    /// before its month ends, and it ends once.
    InformationRequestStatus 409 "information-request-status" "The request does not stand so";
    /// Looks are told again already; have them withheld anew.
    WithholdingEnded 409 "withholding-ended" "The looks are told already";
    /// The child is not shielded.
    NotShielded 409 "not-shielded" "There is no shield";
    /// A shield is lifted when no request holds it up any more, on any record of the person.
    ShieldRequested 409 "shield-requested" "A request holds the shield up";
    /// A request that a child be shielded is decided once, and reviewed or closed while it is in force; where the record
    /// resembles another's, it is decided whose it is.
    ShieldRequestStatus 409 "shield-request-status" "The request does not stand so";
    /// The alert is looked into already, or was: its `investigationId` says where.
    AlertInvestigated 409 "alert-investigated" "The alert is looked into already";
    /// Misuse is suspected already.
    SuspectedAlready 409 "suspected-already" "Misuse is suspected already";
    /// Misuse of the account is suspected, so it goes on only once that is decided.
    MisuseSuspected 409 "misuse-suspected" "Misuse of the account is suspected";
    /// The investigation has its outcome.
    InvestigationClosed 409 "investigation-closed" "The investigation is closed";
    /// The end of this identity has been proposed, and waits for a second person.
    IdentityEndProposed 409 "identity-end-proposed" "It has been proposed already";
    /// The hold has ended; place another.
    HoldEnded 409 "hold-ended" "The hold has ended";
    /// The purge was approved before.
    PurgeApproved 409 "purge-approved" "The purge is approved already";
    /// By what is known of the record now, its time is still over.
    StillArchived 409 "still-archived" "The record stays archived";
    /// The first request with this idempotency key is still being worked on. Repeat it in a second.
    RequestInProgress 409 "request-in-progress" "The same request is in progress";
    /// The record has changed since you read it. Read it again and repeat with its new `ETag` in `If-Match`.
    PreconditionFailed 412 "precondition-failed" "The record has changed";
    /// The body is over 64 KiB; that of a batch, over 1 GiB; a list to reconcile, over 8 MiB.
    BodyTooLarge 413 "body-too-large" "The body is too large";
    /// The address of the request is over 2 KiB.
    UriTooLong 414 "uri-too-long" "The address is too long";
    /// Bodies are `application/json` in UTF-8, without a content encoding (the token endpoints:
    /// `application/x-www-form-urlencoded`; batches: `application/x-ndjson`, `text/csv` or `application/xml`; lists to
    /// reconcile: `application/x-ndjson`).
    UnsupportedMediaType 415 "unsupported-media-type" "The body has an unsupported type";
    /// A member that a record does not hold. Nothing was stored.
    UnknownProperty 422 "unknown-property" "Unknown property";
    /// A value that can be read but may not be so; `errors` points to each. Nothing was stored.
    InvalidValue 422 "invalid-value" "A value is not allowed";
    /// Search by index number, by an identifier of your own function, by names with date of birth, by names with
    /// postcode and gender, or by family name with date of birth and postcode.
    TooLittleToSearchBy 422 "too-little-to-search-by" "Too little to search by";
    /// More children match than may be shown, so none is. Add a criterion: `narrowBy` says which would narrow best.
    TooManyMatches 422 "too-many-matches" "Too many children match";
    /// A sensitive service is recorded only with the receipt of a consent of the child or carer, or because of significant harm.
    ConsentRequired 422 "consent-required" "Consent is required";
    /// The idempotency key was used before for another request.
    IdempotencyKeyReused 422 "idempotency-key-reused" "The idempotency key was used before";
    /// A change names the version that it is based on: send the record's `ETag` in `If-Match`.
    PreconditionRequired 428 "precondition-required" "Say which version you change";
    /// Wait as `Retry-After` says.
    TooManyRequests 429 "too-many-requests" "Too many requests";
    /// You have looked for children, or opened records, as often as you may for now, or your searches found nobody too often in
    /// a row; `detail` says which. Wait as `Retry-After` says. Who needs more asks the national operator to raise the limits of the
    /// organisation.
    OverBudget 429 "over-budget" "You have looked as often as you may";
    /// The header is over 16 KiB or has over 100 fields.
    HeaderTooLarge 431 "header-too-large" "The header is too large";
    /// Our own failure; it is logged with the request id, and nothing was stored.
    Internal 500 "internal" "Something went wrong on our side";
    /// The service cannot answer now; nothing is lost by repeating the request as `Retry-After` says.
    Unavailable 503 "unavailable" "Not available at this moment";
    /// The national operator has stopped everything. Until that is lifted, `GET /v1/organisations` tells how organisations are
    /// reached, and nothing else is answered.
    Stopped 503 "stopped" "Everything is stopped";
    /// The form of the token request is wrong (RFC 6749, section 5.2).
    InvalidRequest 400 "invalid_request" "Invalid request";
    /// The grant is unknown, used, ended or not yours (RFC 6749, section 5.2).
    InvalidGrant 400 "invalid_grant" "Invalid grant";
    /// This server issues no token for this grant (RFC 6749, section 5.2).
    UnsupportedGrantType 400 "unsupported_grant_type" "Unsupported grant type";
    /// The scope is unknown, or more than the client or the person may have (RFC 6749, section 5.2).
    InvalidScope 400 "invalid_scope" "Invalid scope";
    /// The client may not have a token by this grant (RFC 6749, section 5.2).
    UnauthorizedClient 400 "unauthorized_client" "Unauthorized client";
    /// The proof in `DPoP` is not good, was sent before, or is missing where the client's tokens are always bound to a key
    /// (RFC 9449, section 5).
    InvalidDpopProof 400 "invalid_dpop_proof" "Invalid DPoP proof";
    /// This server issues no token for that service (RFC 8693, section 2.2.2).
    InvalidTarget 400 "invalid_target" "Invalid target";
    /// The client is unknown or did not authenticate (RFC 6749, section 5.2).
    InvalidClient 401 "invalid_client" "Invalid client";
}

impl Kind {
    /// The `type` of the problem: a path of this service, where it is explained.
    #[must_use]
    pub fn uri(self) -> String {
        format!("/problems/{}", self.slug())
    }

    /// Whether it is told in the form of RFC 6749, section 5.2, as the token endpoints do.
    #[must_use]
    pub fn is_oauth(self) -> bool {
        matches!(
            self,
            Self::InvalidRequest
                | Self::InvalidGrant
                | Self::UnsupportedGrantType
                | Self::InvalidScope
                | Self::UnauthorizedClient
                | Self::InvalidTarget
                | Self::InvalidDpopProof
                | Self::InvalidClient
        )
    }
}
