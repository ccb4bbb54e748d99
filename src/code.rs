//! How one code of a list is read, kept, shown and described.

/// Defines a list of codes, each with its name in documents and in the database.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident {
        $(#[$($first_meta:tt)*])* $first:ident = $first_code:tt,
        $($(#[$($code_meta:tt)*])* $variant:ident = $code:tt,)*
    }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "crate::word::Text")]
        $(#[$meta])*
        pub enum $name {
            $(#[$($first_meta)*])* #[serde(rename = $first_code)] $first,
            $($(#[$($code_meta)*])* #[serde(rename = $code)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[Self::$first, $(Self::$variant),*];

            /// Reads a code.
            pub fn parse(text: &str) -> Result<Self, $crate::word::Refusal> {
                match text {
                    $first_code => Ok(Self::$first),
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::word::Refusal::because(
                        concat!("Send one of `", $first_code, $("`, `", $code,)* "`."),
                    )),
                }
            }

            /// Its code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_code,
                    $(Self::$variant => $code,)*
                }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    Self::$first => $crate::code::meaning!($([$($first_meta)*])*),
                    $(Self::$variant => $crate::code::meaning!($([$($code_meta)*])*),)*
                }
            }
        }

        impl TryFrom<$crate::word::Text> for $name {
            type Error = $crate::word::Refusal;

            fn try_from(text: $crate::word::Text) -> Result<Self, Self::Error> {
                Self::parse(&text.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::Refusal;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <str as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(other: &sqlx::postgres::PgTypeInfo) -> bool {
                <str as sqlx::Type<sqlx::Postgres>>::compatible(other)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $name {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                <String as sqlx::postgres::PgHasArrayType>::array_type_info()
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<sqlx::Postgres>>::encode(self.as_str(), buffer)
            }
        }

        impl<'row> sqlx::Decode<'row, sqlx::Postgres> for $name {
            fn decode(
                value: sqlx::postgres::PgValueRef<'row>,
            ) -> Result<Self, sqlx::error::BoxDynError> {
                let code = <&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?;
                Ok(Self::parse(code)?)
            }
        }
    };
}

/// What is said of a code where it is defined.
macro_rules! meaning {
    ($([doc = $line:literal])+ $([default])?) => {
        concat!($($line),+).trim_ascii()
    };
}

pub(crate) use {codes, meaning};
