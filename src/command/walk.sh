
A walk, to copy and paste into another terminal:

  # Sign in as a teacher: user name, password, PIN and the one-time code of the security token
  signin() { curl -s {url}/v1/sessions -H 'Content-Type: application/json' \
    -d "{\"userName\":\"$1\",\"password\":\"$2\",\"pin\":\"$3\",\"oneTimeCode\":\"$({program} account code $1)\"}" \
    | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'; }
  api() { curl -s -H "Authorization: Bearer $TOKEN" -H 'Access-Reason: direct-service' -H 'Content-Type: application/json' "$@"; echo; }
  TOKEN=$(signin teacher {teacher.password} {teacher.pin})

  # Find the one right child
  api {url}/v1/children/search -d '{search}'

  # Open the record: who is working with her, and how to reach them
  api {url}/v1/children/{child}

  # Set a flag on the school's own involvement (its version stands in the record)
  api -X PUT {url}/v1/involvements/{involvement}/flags/informationToShare -H 'If-Match: "1"' -d '{}'

  # See it as the child's doctor
  TOKEN=$(signin doctor {doctor.password} {doctor.pin})
  api {url}/v1/children/{child}/flags
